"""The way up to a memory limit, step by step: what is foretold, what is given up, and that it holds
whatever comes. The long form takes 256 MiB and offers ten million series."""
import itertools
import threading
import time

import snappy

from hearth import LONG, field, label, now_ms, sample, series, wait_until

MIB = 1 << 20
PER_REQUEST = 2000


def status_of(server):
    with open(f"/proc/{server.process.pid}/status") as lines:
        return dict(line.rstrip().split(":", 1) for line in lines)


def peak_bytes(server):
    """The most that was ever resident."""
    return int(status_of(server)["VmHWM"].split()[0]) << 10


def new_series(t, number):
    """A body of series that are all new; made by cutting and pasting, so that it costs little."""
    value = sample(t, 1.0)
    head = label("__name__", "filler")
    job = label("job", f"job-{number % 7}")
    parts = []
    for i in range(PER_REQUEST):
        body = head + job + label("pod", f"some-pod-with-a-name-{number:06d}-{i:04d}") + value
        parts.append(field(1, body))
    return snappy.compress(b"".join(parts))


class Load(threading.Thread):
    """Does something again and again until it is told to stop; what went wrong ends it."""

    def __init__(self, step):
        super().__init__()
        self.step, self.done, self.error = step, threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.done.is_set():
                self.step()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def stop(self):
        self.done.set()
        self.join()
        if self.error:
            raise self.error


HEAVY = [
    "count by (job, pod) ({__name__=~'.+'})",
    "sort(filler)",
    "sum by (pod) (label_replace(filler, 'x', '$1-$1', 'pod', '(.*)'))",
    "filler * on (pod, job) group_left filler",
    "count_values('v', filler)",
]


def test_the_limit_holds_whatever_comes(make):
    limit = (256 if LONG else 96) * MIB
    offered_series = 10_000_000 if LONG else 240_000
    server = make(f"--storage.memory-limit={limit}").start()
    start = now_ms() - 600_000
    known = [{"__name__": "known", "i": f"{i}"} for i in range(500)]
    sent, codes, heavy = [], {204: 0}, {}

    def write_known():
        t = start + len(sent) * 50  # never ahead of the clock
        reply = server.write([series(labels, [(t, float(len(sent)))]) for labels in known])
        assert reply.code == 204, reply  # at every moment
        sent.append(t)
        time.sleep(0.05)

    def ask():
        text = HEAVY[sum(heavy.values()) % len(HEAVY)]
        reply = server.get("/api/v1/query", {"query": text, "time": start / 1000})
        assert reply.code in (200, 422, 503), reply
        heavy[reply.code] = heavy.get(reply.code, 0) + 1

    loads = [Load(write_known), Load(ask), Load(ask)]
    try:
        for number in range(offered_series // PER_REQUEST):
            reply = server.write_raw(new_series(start, number))
            codes[reply.code] = codes.get(reply.code, 0) + 1
            if reply.code != 204:
                assert reply.code == 503 and int(reply.headers["Retry-After"]) >= 1, reply
            assert peak_bytes(server) <= 1.10 * limit
        time.sleep(2)  # and queries alone
    finally:
        for load in loads:
            load.stop()
    numbers = server.metrics()
    assert peak_bytes(server) <= 1.10 * limit
    assert codes[204] > 5 and codes[503] > 5, codes
    assert heavy.get(200, 0) > 0, heavy
    assert numbers['hearth_samples_refused_total{reason="new_series"}'] > 0
    assert numbers['hearth_shed_total{action="refuse_new_series"}'] > 0
    print(f"peak {peak_bytes(server) / limit:.3f} of the limit, filler {codes}, queries {heavy},",
          f"known {len(sent)}")

    # Nothing that was acknowledged is missing: not of known series, not of new ones.
    last = sent[-1] / 1000
    counted = server.query(f"sum(count_over_time(known[{len(sent)}s]))", last)
    assert int(counted["result"][0]["value"][1]) == len(sent) * len(known)
    acknowledged = codes[204] * PER_REQUEST + len(known)
    assert server.metrics()["prometheus_tsdb_head_series"] >= acknowledged
    server.kill()
    server.start()
    print(f"a start after kill -9: {peak_bytes(server) / limit:.3f} of the limit")
    assert peak_bytes(server) <= 1.30 * limit  # the names in the log come beside the series
    assert server.metrics()["hearth_memory_counted_bytes"] <= limit
    assert server.metrics()["prometheus_tsdb_head_series"] >= acknowledged
    counted = server.query(f"sum(count_over_time(known[{len(sent)}s]))", last)
    assert int(counted["result"][0]["value"][1]) == len(sent) * len(known)


def open_bytes(server, t):
    """Of chunks that are not sealed, in the window of this time."""
    start = t // 14_400_000 * 14_400
    return server.metrics()[f'hearth_alloc_window_bytes{{window="{start}",state="open"}}']


def test_at_the_soft_line_caches_go_queries_get_less_and_late_samples_are_sealed_soon(make):
    server = make("--storage.memory-limit=64MiB", "--query.max-memory=100%").start()
    t = now_ms()
    earlier = t - 5 * 3_600_000  # a window that has closed
    known = [{"__name__": "known", "i": f"{i:05d}"} for i in range(12_000)]

    def write_known(at):
        for first in range(0, len(known), PER_REQUEST):
            part = known[first : first + PER_REQUEST]
            server.must_write([series(labels, [(at, 1.0)]) for labels in part])

    def ask_much():
        text = "known * 1 + (known * 2 + known * 3)"
        return server.get("/api/v1/query", {"query": text, "time": t / 1000})

    write_known(t)
    write_known(earlier)
    assert ask_much().code == 200
    server.query('count(known{i=~"[0-9]+[13]"})', t / 1000)
    assert server.metrics()["hearth_matches_bytes"] > 0
    time.sleep(2)
    write_known(earlier + 1)
    assert open_bytes(server, earlier) > 0  # for a quarter of an hour, while it is calm

    numbers = itertools.count()

    def fill_to_the_line():
        while server.metrics()["hearth_memory_pressure"] < 1:
            reply = server.write_raw(new_series(t, next(numbers)))
            assert reply.code == 204 or "new_series" in reply.text, reply  # seen a little later
            time.sleep(0.05)

    def is_sealed():
        fill_to_the_line()  # what the query took and gave back may have been what was too much
        return open_bytes(server, earlier) == 0

    def is_refused():
        fill_to_the_line()  # caches that went may have been what was too much
        reply = ask_much()
        assert reply.code in (200, 422, 503) and (reply.code == 200 or "memory" in reply.text)
        return reply.code != 200

    fill_to_the_line()
    wait_until(lambda: server.metrics()["hearth_matches_bytes"] == 0)
    wait_until(is_refused)
    assert server.query('count(known{i="00001"})', t / 1000)["result"]
    wait_until(is_sealed, 30)
    assert server.metrics()["hearth_memory_pressure"] < 3


def test_what_series_and_samples_take_is_told_and_foretold(make):
    """Of short windows: memory is about what was foretold when they are full."""
    server = make("--storage.chunk-duration=4s", "--storage.windows=2",
                  "--storage.future-tolerance=1s").start()
    labels = [{"__name__": "m", "i": f"{i:04d}"} for i in range(2000)]
    base = server.metrics()["hearth_memory_counted_bytes"]
    foretold, step = [], 0
    end = time.monotonic() + 11
    while time.monotonic() < end:
        t = now_ms()
        server.must_write([series(one, [(t, hash((t, one["i"])) / 7.0)]) for one in labels])
        step += 1
        numbers = server.metrics()
        foretold.append(numbers["hearth_memory_forecast_bytes"])
    numbers = server.metrics()
    assert 100 < numbers["hearth_memory_series_bytes"] < 1000
    assert 7 < numbers["hearth_memory_sample_bytes"] < 60
    used = numbers["hearth_memory_counted_bytes"]
    assert used > base
    assert foretold[-1] / 2 < used < foretold[-1] * 2, (used, foretold[-1])
