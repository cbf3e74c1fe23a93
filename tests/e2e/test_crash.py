"""kill -9 at random instants, with a ledger of what was acknowledged: after each restart every
acknowledged sample is there, exactly once, with its bits; a request that was under way is there
whole or not at all; nothing is there that was never sent; what was shown once stays."""
import os
import random
import time

import pytest

from crash import Traffic, restart, turned_clock
from hearth import BINARY, LONG, now_ms

INSTRUMENTED = "san" in BINARY or "coverage" in BINARY
HOUR_MS = 3600_000
TURNED_WINDOW_MS = 60_000  # some of them pass every second
TURNED_LATE = 3000  # requests: three windows


def dice():
    seed = int(os.environ.get("HEARTH_SEED", time.time_ns() % 1_000_000))
    print(f"HEARTH_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def under_traffic(make, tmp_path, programs):
    """under_traffic(sync, clock, random): a running server and its traffic, not yet begun."""

    def begin(sync, clock, rng, **options):
        flags = [f"--wal.sync={sync}", "--wal.segment-size=256KiB", "--snapshot.interval=1s"]
        start_ms = now_ms() // TURNED_WINDOW_MS * TURNED_WINDOW_MS
        if clock == "turned":  # windows are sealed, snapshot and expire all the time
            path = tmp_path / "clock"
            server = make(*flags, "--storage.chunk-duration=1m", env=turned_clock(path, start_ms))
            options = {"clock": path, "chunk": TURNED_WINDOW_MS, "late": TURNED_LATE, **options}
        else:  # samples of hours ago, into windows that are sealed or will be
            server = make(*flags)
            start_ms -= 20 * HOUR_MS
        server.start()
        traffic = Traffic(server, seed=rng.randrange(1 << 30), start=start_ms, **options)
        programs.append(traffic)
        return server, traffic

    return begin


def kill_and_restart(server, rng):
    """Dead at once; sometimes again while it recovers, sometimes as soon as it has."""
    server.kill()
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        server.spawn()
        time.sleep(rng.uniform(0.0, 0.1))
        server.kill()
    restart(server)
    if rng.random() < 0.1:
        server.kill()
        restart(server)


CASES = [
    ("interval", "turned", 7),
    ("always", "turned", 7),
    ("never", "turned", 2),
    ("interval", "still", 4),
]
if INSTRUMENTED:  # the clock's library knows no sanitizer
    CASES = [("interval", "still", 3), ("always", "still", 2)]


@pytest.mark.parametrize("sync,clock,rounds", CASES)
def test_every_acknowledged_sample_survives_kill_9(under_traffic, sync, clock, rounds):
    rng = dice()
    server, traffic = under_traffic(sync, clock, rng)
    for _ in range(rounds * 12 if LONG else rounds):
        traffic.go()
        time.sleep(rng.uniform(0.02, 2.0 if LONG else 0.6))
        kill_and_restart(server, rng)
        verdict = traffic.check()
    print(verdict)
    assert verdict["requests"] > rounds
    if verdict["requests"] > 2000:
        assert verdict["contradicted"] > 0 and verdict["again"] > 0
    assert server.stop() == 0
    restart(server)
    traffic.check()


def test_the_judge_sees_what_is_missing(under_traffic):
    """Else the test above proves nothing."""
    server, traffic = under_traffic("never", "still", dice())
    traffic.go()
    time.sleep(0.3)
    traffic.check()
    server.kill()
    last = max((server.data / "wal").iterdir(), key=lambda path: path.name)
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    restart(server)
    verdict = traffic.say("check")
    assert verdict["lost"] > 0 and "acknowledged" in verdict["first"]
    assert not any(verdict[kind] for kind in ("wrong", "twice", "invented"))
