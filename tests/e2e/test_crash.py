"""kill -9 at random instants, with a ledger of what was acknowledged: after each restart every
acknowledged sample is there, exactly once, with its bits; a request that was under way is there
whole or not at all; nothing is there that was never sent; what was shown once stays."""
import os
import signal
import time

import pytest

from crash import INSTRUMENTED, begin_traffic, dice, restart
from hearth import LONG, wait_until


def kill_and_restart(server, rng):
    """Dead at once; sometimes again while it recovers, sometimes as soon as it has. How often."""
    server.kill()
    again = rng.choice((0, 0, 0, 1, 2))
    for _ in range(again):
        server.spawn()
        time.sleep(rng.uniform(0.0, 0.1))
        server.kill()
    restart(server)
    at_once = rng.random() < 0.1
    if at_once:
        server.kill()
        restart(server)
    return 1 + again + at_once


CASES = [
    ("interval", "turned", 7),
    ("always", "turned", 7),
    ("never", "turned", 2),
    ("interval", "still", 4),
]
STORED = 'hearth_write_samples_total{outcome="stored"}'
STILL_SECONDS = 2
# A round has 1.7 kills.
FACTOR = max(1, int(os.environ.get("HEARTH_ROUNDS", 600 if LONG else 20)) // 20)
if INSTRUMENTED:  # the clock's library knows no sanitizer
    CASES = [("interval", "still", 3), ("always", "still", 2)]


@pytest.mark.parametrize("sync,clock,rounds", CASES)
def test_acknowledged_samples_survive_kill_9(make, programs, tmp_path, sync, clock, rounds):
    rng = dice()
    server, traffic = begin_traffic(make, programs, tmp_path, sync, clock, rng)
    kills = 0
    for n in range(1, 10 * rounds * FACTOR):
        traffic.go()
        time.sleep(rng.uniform(0.02, 2.0 if LONG else 0.6))
        kills += kill_and_restart(server, rng)
        verdict = traffic.check()
        # On a busy machine a round may be over before anything was acknowledged: some more of them.
        if n >= rounds * FACTOR and verdict["requests"] > rounds:
            break
    print(f"{kills} kills; {verdict}")
    assert verdict["requests"] > rounds
    if verdict["requests"] > 2000:
        assert verdict["contradicted"] > 0 and verdict["again"] > 0
    assert server.stop() == 0
    restart(server)
    traffic.check()


def test_a_process_that_stands_still_for_seconds_goes_on(make, programs, tmp_path):
    """As when its machine has no time for it: nobody is answered, and then everybody."""
    server, traffic = begin_traffic(make, programs, tmp_path, "interval", "still", dice())
    for _ in range(10 if LONG else 2):
        traffic.go()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(STILL_SECONDS)
        server.process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        before = traffic.check()
    assert before["refused"] == 0
    server.kill()
    restart(server)
    assert traffic.check()["requests"] == before["requests"] > 0


def test_the_judge_sees_what_is_missing(make, programs, tmp_path):
    """Else the test above proves nothing."""
    options = {"snapshot": "1h"}  # else one may have what the log loses
    server, traffic = begin_traffic(make, programs, tmp_path, "never", "still", dice(), **options)
    traffic.go()
    wait_until(lambda: server.metrics()[STORED] > 0, what="something is acknowledged")
    time.sleep(0.3)
    traffic.check()
    server.kill()
    most = max((server.data / "wal").iterdir(), key=lambda path: path.stat().st_size)
    most.write_bytes(most.read_bytes()[: most.stat().st_size // 2])
    restart(server)
    verdict = traffic.say("check")
    assert verdict["lost"] > 0 and "acknowledged" in verdict["first"]
    assert not any(verdict[kind] for kind in ("wrong", "twice", "invented"))


def test_what_is_acknowledged_is_visible_and_nothing_in_part(make, programs, tmp_path):
    """Queries on eight connections beside the writers: each asks for a request that was
    acknowledged before, which is there whole, or for one that is under way, which is there whole or
    not at all."""
    pairs, clock = (1_000_000 if LONG else 5_000), "turned"
    if INSTRUMENTED:
        pairs, clock = (10_000 if LONG else 200), "still"
    options = {"readers": 8, "pause_us": 500}
    server, traffic = begin_traffic(make, programs, tmp_path, "interval", clock, dice(), **options)
    verdict = {"pairs": 0}
    while verdict["pairs"] < pairs:
        traffic.go()
        time.sleep(10 if LONG else 0.3)
        verdict = traffic.check()
    print(verdict)
