"""The same load for a long time: windows come and go, series are replaced, queries are asked,
snapshots are taken, and now and then it is killed. Memory and descriptors stay what they were,
nothing is refused, nothing is lost.

HEARTH_SOAK_SECONDS says how long (./dev test-long: ten minutes; 86400 is a day). The windows are a
minute wide and the clock is turned, so that some fifty of them come and go in these ten minutes.
"""
import itertools
import os
import statistics
import time

import pytest

from crash import TURNED_WINDOW_MS, begin_traffic, dice, restart
from hearth import LONG, wait_until

SECONDS = int(os.environ.get("HEARTH_SOAK_SECONDS", "600" if LONG else "0"))
LIFE_SECONDS = max(20, SECONDS / 24)
LOOK_SECONDS = 1
RATE = 80  # requests a second: a window of a minute in twelve
RATE_LEAST = 0.8  # a life with less is not counted: the machine stood still, and memory fell
STEP_MS = 64  # of the clock, for a request (tests/crash/plan.h)
LOOKS_LEAST = 50
FULL_MS = 9 * TURNED_WINDOW_MS  # of its time until the windows are full
LEAST_MS = 16 * TURNED_WINDOW_MS  # memory goes up and down with each window
# Of the last half against the first. Memory goes up and down by a twentieth with each window, and a
# short life sees few of them.
DRIFT_MAX = 0.01 if SECONDS >= 6 * 3600 else 0.06
QUESTIONS = (
    "sum(rate(ledger[1m])) by (g)", 'topk(5, ledger{instance=~"node-0.*"})', "count(ledger)",
    'quantile_over_time(0.9, ledger{g="1"}[4m])', "max_over_time(sum(ledger)[2m:10s])",
)  # fmt: skip


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.mark.skipif(not SECONDS, reason="HEARTH_SOAK_SECONDS or ./dev test-long")
def test_a_long_time_changes_nothing(make, programs, tmp_path):
    rng = dice()
    # What is kept at hand grows with the rate of requests: it has to be one that can be held.
    options = {"writers": 2, "readers": 1, "rate": RATE, "pause_us": 8000, "churn": 400,
               "series": 200}  # fmt: skip
    server, traffic = begin_traffic(make, programs, tmp_path, "interval", "turned", rng, **options)

    def clock_ms():
        return int.from_bytes((tmp_path / "clock").read_bytes(), "little")

    full_ms = clock_ms() + FULL_MS
    traffic.go()
    wait_until(lambda: clock_ms() >= full_ms, 3600, step=1, what="the windows are full")

    def die_and_go_on():
        server.kill()
        restart(server)
        traffic.check()
        traffic.go()

    die_and_go_on()  # what is compared are processes that began with full windows
    questions = itertools.cycle(QUESTIONS)
    begin = time.monotonic()
    lives = []
    while time.monotonic() < begin + SECONDS or clock_ms() < full_ms + LEAST_MS:
        born, born_ms, looks = time.monotonic(), clock_ms(), []
        while (age := time.monotonic() - born) < LIFE_SECONDS:
            time.sleep(LOOK_SECONDS)
            server.query(next(questions), clock_ms() / 1000)
            if age >= LIFE_SECONDS / 2:  # what a start took is given back by then
                looks.append((resident(server), descriptors(server)))
        lives.append(((clock_ms() - born_ms) / STEP_MS / age, looks))
        die_and_go_on()
    looks = [look for rate, looks in lives if rate >= RATE_LEAST * RATE for look in looks]
    print(f"{len(lives)} lives, requests a second: {[round(rate) for rate, _ in lives]}")
    verdict = traffic.check()
    print(verdict)
    assert verdict["refused"] == 0
    assert len(looks) >= LOOKS_LEAST, "the machine was too busy"
    first, last = looks[: len(looks) // 2], looks[len(looks) // 2 :]
    before, after = (statistics.mean(rss for rss, _ in part) for part in (first, last))
    print(f"resident {before / 1e6:.2f} MB, later {after / 1e6:.2f} MB")
    assert abs(after / before - 1) <= DRIFT_MAX
    # A snapshot has files open, and segments wait for their sync.
    fewer, more = (statistics.median(fds for _, fds in part) for part in (first, last))
    assert more <= fewer + 2, "descriptors"
