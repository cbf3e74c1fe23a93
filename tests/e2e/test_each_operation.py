"""Each operation of a session on files, and each on memory, fails in turn or is the last one.

The session: a server starts, takes writes, answers queries, a window passes, it is told to stop and
takes its snapshot; then a second one goes on from there. Whatever happens, no process ends by a
fault of its own, requests are answered with 204 or 5xx, and the next start has every acknowledged
sample, and no other than what was sent.
"""
import http.client
import os
import struct
import time

import pytest

from crash import dice, restart, turned_clock
from faults import Faults
from hearth import LONG, now_ms, series

WINDOW_MS = 60_000
WRITES_BEFORE, WRITES_AFTER = 3, 2
PATIENCE_SECONDS = 120  # with a process that neither works nor ends
SAMPLED = 4  # of each kind, unless LONG
CASE = os.environ.get("HEARTH_CASE")  # "life,operation" or "life,first,last": only these
FLAGS = [
    "--wal.sync=always", "--storage.chunk-duration=1m", "--storage.windows=4",
    "--web.threads=2", "--snapshot.interval=1h", "--log.level=warn",
]  # fmt: skip


class Session:
    """Two lives of a server, under faults, with a ledger."""

    def __init__(self, make, folder):
        folder.mkdir()
        self.start_ms = now_ms() // WINDOW_MS * WINDOW_MS
        self.clock_path = folder / "clock"
        env = turned_clock(self.clock_path, self.start_ms)
        self.server = make(*FLAGS, folder=folder / "server", env=env)
        self.faults = Faults(folder / "faults", under=self.server.data)
        both = f"{self.faults.environment()['LD_PRELOAD']} {env['LD_PRELOAD']}"
        self.server.env = {**env, **self.faults.environment(), "LD_PRELOAD": both}
        self.kept, self.tried = {}, {}
        self.codes = []
        self.step = 0

    def turn(self, ms):
        now = struct.unpack("<q", self.clock_path.read_bytes())[0]
        with open(self.clock_path, "r+b") as f:
            f.write(struct.pack("<q", now + ms))

    def try_to_start(self):
        """True when it is ready; False when it has ended."""
        self.server.spawn()
        end = time.monotonic() + PATIENCE_SECONDS
        while self.server.process.poll() is None and time.monotonic() < end:
            try:
                if self.server.get("/-/ready", timeout=10).code == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.003)
        assert self.server.process.poll() is not None, "neither ready nor ended"
        return False

    def write(self, age_ms=0):
        """One request of three series; what is sent is a new value at a new time."""
        self.step += 1
        t_ms = self.start_ms + self.step * 100 - age_ms
        batch = {(name, t_ms): self.step + i / 8 for i, name in enumerate("abc")}
        self.tried.update(batch)
        body = [series({"__name__": "m", "s": s}, [(t, v)]) for (s, t), v in batch.items()]
        try:
            code = self.server.write(body).code
        except (OSError, http.client.HTTPException):
            code = 0
        self.codes.append(code)
        if code == 204:
            self.kept.update(batch)

    def ask(self):
        question = {"query": "sum(m)", "time": self.start_ms / 1000}
        try:
            code = self.server.get("/api/v1/query", question).code
        except (OSError, http.client.HTTPException):
            code = 0
        assert code in (0, 200, 500, 503), code

    def life(self):
        """None when it did not start, else how it ended."""
        server = self.server
        if not self.try_to_start():
            return self.end()
        for _ in range(WRITES_BEFORE):
            self.write()
        self.write(age_ms=40_000)
        self.ask()
        self.turn(WINDOW_MS)
        for _ in range(WRITES_AFTER):
            self.write()
        return self.end()

    def end(self):
        """SIGTERM, unless it has ended by itself; the exit code."""
        process, self.server.process = self.server.process, None
        if process.poll() is None:
            process.terminate()
        return process.wait(PATIENCE_SECONDS)

    def run(self, rule):
        self.faults.set(rule)
        return [self.life(), self.life()]

    def there(self):
        at = (self.start_ms + 3600_000) / 1000
        out = {}
        for key, points in self.server.points("m", 7200, at).items():
            for t_ms, text in points:
                assert (dict(key)["s"], t_ms) not in out
                out[dict(key)["s"], t_ms] = float(text)
        return out

    def check(self):
        """A fair start, and the ledger; then it takes a write, is killed, and shows it again."""
        self.faults.set("")
        assert self.try_to_start(), "does not start on a fair disk"
        for _ in range(2):
            there = self.there()
            lost = {key: value for key, value in self.kept.items() if there.get(key) != value}
            assert not lost, f"acknowledged and not there: {lost}"
            strange = {key: value for key, value in there.items() if self.tried.get(key) != value}
            assert not strange, f"there and never sent: {strange}"
            for s, t_ms in there:  # whole, or not at all
                assert all((other, t_ms) in there for other in "abc"), f"half a request at {t_ms}"
            self.write()
            assert self.codes[-1] == 204
            self.server.kill()
            restart(self.server)
        assert self.server.stop() == 0


@pytest.fixture
def session(make, tmp_path):
    """session(): a new one, with nothing on disk."""
    count = 0

    def begin():
        nonlocal count
        count += 1
        return Session(make, tmp_path / str(count))

    return begin


CHANGES = "create write fsync fdatasync truncate rename unlink mkdir link".split()
FILES = [*CHANGES, *"open read stat lock list mmap".split()]


def operations(session, op):
    """Of a fair session: how many such operations each of its lives has."""
    ops = {"any": FILES, "change": CHANGES}.get(op, [op])
    one = session()
    seen = []
    for _ in range(2):
        one.faults.forget_counts()
        assert one.life() == 0
        counts = one.faults.counts()
        seen.append(sum(counts[op] for op in ops))
    assert set(one.codes) == {204}
    one.check()
    return seen


# What happens to the n-th operation, and how a process may end by that: -9 is our own kill.
KINDS = {
    "killed before": ("op=any kill=before", {-9}),
    "killed behind": ("op=any kill=after count=1", {-9}),
    "a write in part, then killed": ("op=write short=100 kill=after count=1", {-9}),
    "EIO once": ("op=any err=EIO count=1", {0, 1}),
    "EIO from then on": ("op=any err=EIO", {0, 1}),
    "ENOSPC from then on": ("op=change err=ENOSPC", {0, 1}),
    "no memory once": ("op=memory err=ENOMEM count=1", {0, 1}),
    "no memory from then on": ("op=memory err=ENOMEM", {0, 1}),
    "no thread from then on": ("op=thread err=EAGAIN", {0, 1}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_operation(session, kind):
    rule, ends = KINDS[kind]
    rng = dice()
    op = rule.split()[0].removeprefix("op=")
    cases = []
    counts = operations(session, op)
    for life, count in enumerate(counts):
        cases += [(life, n) for n in range(count)]
    if CASE:
        life, first, *last = (int(word) for word in CASE.split(","))
        cases = [(life, n) for n in range(first, (last or [first])[0] + 1)]
    elif not LONG:
        cases = rng.sample(cases, min(SAMPLED, len(cases)))
    for life, n in cases:
        print(f"life {life}, operation {n}")
        one = session()
        for i in range(2):
            one.faults.set(f"{rule} after={n}" if i == life else "")
            code = one.life()
            allowed = ends | {0} if i == life else {0}
            assert code in allowed, f"ended with {code}"
        assert set(one.codes) <= {0, 204, 500, 503}, one.codes
        one.check()
    print(f"{kind}: {len(cases)} sessions of {sum(counts)}")
