"""Power failures under traffic: the server is killed, and its files go back to what was synced
(power.py). `always` loses nothing, `interval` nothing older than the interval, and no policy shows
what is wrong or was never sent."""
import time

import pytest

import power
from crash import begin_traffic, dice, restart
from faults import Event, Faults
from hearth import LONG, lived

INTERVAL_MS = 200
ROUNDS = {"always": 3, "interval": 4, "never": 2}
if LONG:
    ROUNDS = {"always": 100, "interval": 120, "never": 30}  # with either clock: 500
WRITING_SECONDS = 1.2 if LONG else 0.6
EVERYTHING = (1 << 32) - 1  # milliseconds: what was acknowledged until then stays


def now_ms():
    return time.monotonic_ns() // 1_000_000


def stable_until(sync, events):
    """What was acknowledged before stays, in milliseconds of the monotonic clock: with every policy
    what really was synced, with `always` all of it."""
    loose_ms = None if sync == "always" else power.first_loose_ms(events)
    return EVERYTHING if loose_ms is None else loose_ms - 1


def test_a_sync_counts_what_was_written_before_it():
    path = "/data/wal/1"
    first = Event(1, "write", 1_000_000, 0, 64, path, None, began=0, ended=1, result=64)
    # Its size was taken, then came a write, then it was noted and done; another came too late.
    second = Event(2, "write", 2_000_000, 64, 100, path, None, began=2, ended=3, result=100)
    sync = Event(3, "fdatasync", 3_000_000, 0, 64, path, None, began=4, ended=6, result=0)
    third = Event(4, "write", 4_000_000, 164, 100, path, None, began=5, ended=7, result=100)
    events = [first, second, sync, third]
    assert power.first_loose_ms(events) == 4
    files, _ = power.what_is_stable({path: 0}, events)
    assert files[path].synced == 164


def test_what_the_disk_took_is_not_counted():
    def sync(number, began_ms, ended_ms):
        ended = None if ended_ms is None else 2 * number
        return Event(number, "fdatasync", began_ms * 1_000_000, 0, 64, "/data/wal/1", None,
                     began=2 * number - 1, ended=ended, result=0,
                     ended_ns=ended_ms and ended_ms * 1_000_000)  # fmt: skip

    # Two that overlap, one that began before, and one that goes on at the end.
    events = [sync(1, 50, 130), sync(2, 200, 300), sync(3, 250, 310), sync(4, 400, None)]
    events.append(sync(5, 420, 450))
    assert power.syncing_ms(events, 100) == 30 + 110 + 50
    assert power.syncing_ms([], 100) == 0


@pytest.mark.parametrize("sync", ["always", "interval", "never"])
@pytest.mark.parametrize("clock", ["turned", "still"] if LONG else ["turned"])
def test_a_power_cut_costs_what_was_not_synced(make, programs, tmp_path, sync, clock):
    rng = dice()
    flags = [f"--wal.sync-interval={INTERVAL_MS}ms"]
    server, traffic = begin_traffic(make, programs, tmp_path, sync, clock, rng, flags, conflicts=0)
    assert server.stop() == 0
    faults = Faults(tmp_path / "faults", under=server.data, log=True)
    preload = [faults.environment()["LD_PRELOAD"], server.env.get("LD_PRELOAD", "")]
    server.env = {**server.env, **faults.environment(), "LD_PRELOAD": " ".join(preload)}
    taken = gone = 0
    ages = []  # of the first record that was not synced
    for _ in range(ROUNDS[sync]):
        faults.log_path.unlink(missing_ok=True)
        sizes = power.sizes_of(server.data)
        restart(server)
        pause = rng.uniform(0.02, WRITING_SECONDS) if rng.random() < 0.9 else 0.0
        if pause:  # else the power fails while it recovers
            traffic.go()
        began_ms, began_lived = now_ms(), lived()
        time.sleep(pause)
        killed_ms = now_ms()
        stood_still_ms = killed_ms - began_ms - 1000 * (lived() - began_lived)
        server.kill()
        events = faults.events()
        stable_ms = stable_until(sync, events)
        if stood_still_ms < INTERVAL_MS:
            age_ms = killed_ms - stable_ms - power.syncing_ms(events, stable_ms)
            ages.append(max(0, age_ms))
        taken += power.cut(sizes, events, rng)
        restart(server)
        gone += traffic.check(stable_ms)["gone"]
        server.kill()  # what it did since is on disk: the next round begins with it
    ages.sort()
    print(f"{ROUNDS[sync]} power cuts took {taken} bytes and {gone} acknowledged samples;",
          f"not synced since, ms: {ages}")
    assert taken + gone > 0 or not LONG  # a few cuts may take nothing
    if sync == "always":
        assert gone == 0
    if sync == "interval" and ages:  # the disk may be behind now and then
        assert ages[int(len(ages) * (0.9 if LONG else 0.5))] <= 2 * INTERVAL_MS
        assert ages[-1] <= 10 * INTERVAL_MS
