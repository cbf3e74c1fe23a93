"""What the disk does is not noticed: snapshots by requests, a slow disk by queries. Two servers get
the same requests by turns, so that both are disturbed by the same machine; and of a few attempts
the best counts, since that machine may be busy."""
import http.client
import threading
import time

from faults import Faults
from hearth import (
    BINARY, LONG, PATIENCE_SECONDS, WRITE_HEADERS, now_ms, series, wait_until, write_body,
)  # fmt: skip

ATTEMPTS = 10
SERIES, PER_REQUEST = (100_000, 2000) if LONG else (10_000, 1000)
ROUNDS = 20 if LONG else 12  # requests for each series
STEP_MS = 60_000  # all attempts are of the last seven hours
BECAUSE_OF_IT_MS = 5.0
JUDGED = (0.99, 1)


class Client:
    """One connection, kept."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", server.port, timeout=PATIENCE_SECONDS
        )

    def ask(self, method, path, body=None, headers=None):
        """Milliseconds, and the code."""
        began = time.perf_counter()
        self.connection.request(method, path, body=body, headers=headers or {})
        reply = self.connection.getresponse()
        reply.read()
        return (time.perf_counter() - began) * 1000, reply.status

    def write(self, body):
        ms, code = self.ask("POST", "/api/v1/write", body, WRITE_HEADERS)
        assert code == 204
        return ms

    def query(self, text):
        ms, code = self.ask("GET", f"/api/v1/query?query={text}")
        assert code == 200
        return ms


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p))]


def bodies_of(first_ms, step_ms):
    for r in range(ROUNDS):
        t_ms = first_ms + r * step_ms
        for first in range(0, SERIES, PER_REQUEST):
            yield write_body(
                series({"__name__": "m", "i": str(i), "g": str(first)}, [(t_ms, i / 7 + r)])
                for i in range(first, first + PER_REQUEST)
            )


def is_unnoticed(pairs):
    return all(beside <= still + BECAUSE_OF_IT_MS for still, beside in pairs)


def test_no_request_is_5_ms_slower_because_of_a_snapshot(make, tmp_path):
    servers = [
        make(f"--snapshot.interval={interval}", folder=tmp_path / interval).start()
        for interval in ("1h", "1s")  # all windows changed: written whole, all the time
    ]
    clients = [Client(server) for server in servers]
    begin_ms = now_ms() - 7 * 3600_000
    seen, snapshots, both = [], 0, [[], []]
    for attempt in range(2 * ATTEMPTS):
        took = [[], []]
        for n, body in enumerate(bodies_of(begin_ms + attempt * ROUNDS * STEP_MS, STEP_MS)):
            for which in (0, 1) if n % 2 else (1, 0):
                took[which].append(clients[which].write(body))
                if n % 4 == 0:
                    took[which].append(clients[which].query('sum(m{g="0"})'))
        before, snapshots = snapshots, servers[1].metrics()["hearth_snapshots_total"]
        for all_of_them, ms in zip(both, took):
            all_of_them += ms
        seen.append([[round(percentile(ms, p), 2) for ms in took] for p in JUDGED])
        if is_unnoticed(seen[-1]) and snapshots >= max(3, before + 1):
            break
    for name, ms in zip(("without", "beside"), both):
        tail = ", ".join(f"p{100 * p:g} {percentile(ms, p):.2f}" for p in (0.99, 0.999, 1))
        print(f"{name} {snapshots:.0f} snapshots, {len(ms)} requests, ms: {tail}")
    print(f"p99 and the slowest of each attempt, without and beside: {seen}")
    assert snapshots >= max(3, before + 1)
    assert is_unnoticed(seen[-1]), seen


WRITERS = 16
PERIOD_SECONDS = 0.2  # of a writer's requests: a slow disk takes as many as a fair one
DISKS = {"fair": (), "slow": ("op=sync delay=50", "op=write delay=50")}
TURNS, TURN_SECONDS = 4, 5.0 if LONG else 1.0  # some ten rounds of a slow disk in each


class Writers:
    """On connections of their own, each with a request every PERIOD_SECONDS. What was missed while
    the machine stood still is not made good."""

    def __init__(self, server, body):
        self.server, self.body, self.seen = server, body, []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(WRITERS)]

    def run(self, number):
        client = Client(self.server)
        due = time.monotonic() + PERIOD_SECONDS * number / WRITERS
        while not self.over.wait(max(0.0, due - time.monotonic())):
            self.seen.append(client.ask("POST", "/api/v1/write", self.body, WRITE_HEADERS))
            due = max(due + PERIOD_SECONDS, time.monotonic())

    def take(self):
        """[(milliseconds, code), ...] since the last time."""
        seen, self.seen = self.seen, []
        return seen

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_a_slow_disk_slows_no_query(make, tmp_path):
    """The 99th percentile at most twice that beside the same writers and a fair disk. Both by
    turns, so long that a turn sees many times how all writers wake when a sync is done."""
    server = make("--wal.sync=always", "--snapshot.interval=1s")
    faults = Faults(tmp_path / "faults", server.data)
    server.env.update(faults.environment(BINARY))
    server.start()
    t_ms = now_ms()
    body = write_body(series({"__name__": "m", "i": str(i)}, [(t_ms, 1.0)]) for i in range(500))
    client = Client(server)
    client.write(body)
    seen = []
    with Writers(server, body) as writers:
        for _ in range(ATTEMPTS):
            queries, writes = {disk: [] for disk in DISKS}, {disk: [] for disk in DISKS}
            for disk in list(DISKS) * TURNS:
                faults.set(*DISKS[disk])
                time.sleep(PERIOD_SECONDS)
                writers.take()
                end = time.monotonic() + TURN_SECONDS
                while time.monotonic() < end:
                    queries[disk].append(client.query("sum(m)"))
                writes[disk] += writers.take()
            p99 = [percentile(queries[disk], 0.99) for disk in ("fair", "slow")]
            seen.append(tuple(round(ms, 2) for ms in p99))
            # Fewer writers explain faster queries.
            busy = len(writes["slow"]) >= len(writes["fair"]) / 2
            if busy and p99[1] <= 2 * p99[0]:
                break
        faults.set("")
    counts = {disk: (len(queries[disk]), len(writes[disk])) for disk in DISKS}
    print(f"p99 of queries, ms, the disk fair and slow: {seen}; queries, writes: {counts}")
    assert {code for disk in DISKS for _, code in writes[disk]} <= {204, 503}
    assert percentile([ms for ms, _ in writes["slow"]], 0.5) >= 50, "the disk was not slow"
    assert busy, "there were fewer writers"
    assert seen[-1][1] <= 2 * seen[-1][0], seen


def test_a_disk_that_stands_still_is_not_waited_for_without_end(make, tmp_path):
    """Whoever waits is told 503 in the end, and queries are answered meanwhile."""
    server = make("--wal.sync=always", "--snapshot.interval=1h")
    faults = Faults(tmp_path / "faults", server.data)
    server.env.update(faults.environment(BINARY))
    server.start()
    body = write_body([series({"__name__": "m"}, [(now_ms(), 1.0)])])
    Client(server).write(body)
    faults.set("op=write path=/wal/ delay=14000 count=1")
    codes = []

    def writer():
        codes.append(Client(server).ask("POST", "/api/v1/write", body, WRITE_HEADERS)[1])

    threads = [threading.Thread(target=writer) for _ in range(24)]
    for thread in threads:
        thread.start()
    client = Client(server)
    wait_until(lambda: client.query("m") >= 0 and len(codes) > 0, 60, 0.1, "one is told")
    for thread in threads:
        thread.join()
    assert codes.count(503) >= 1 and set(codes) <= {204, 503}, codes
    assert min(client.write(body) for _ in range(5)) < 5000
