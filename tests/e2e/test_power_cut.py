"""Power failures under traffic: the server is killed, and its files go back to what was synced
(power.py). `always` loses nothing, `interval` nothing older than the interval, and no policy shows
what is wrong or was never sent."""
import time

import pytest

import power
from crash import begin_traffic, dice, restart
from faults import Faults
from hearth import LONG

INTERVAL_MS = 200
ROUNDS = {"always": 3, "interval": 4, "never": 2}
if LONG:
    ROUNDS = {"always": 100, "interval": 120, "never": 30}  # with either clock: 500
WRITING_SECONDS = 1.2 if LONG else 0.6
EVERYTHING = (1 << 32) - 1  # milliseconds: what was acknowledged until then stays


def stable_until(sync, events, killed_ms):
    """What was acknowledged before stays, in milliseconds of the monotonic clock."""
    if sync == "always":
        return EVERYTHING
    if sync == "never":
        return 0
    # The interval and one more for a sync that was under way; unless the disk was behind, which
    # takes one segment after the other: then what was answered before the first it has not done.
    late_ms = [killed_ms - 2 * INTERVAL_MS, first_not_synced_ms(events) - 1]
    return max(0, killed_ms - 10 * INTERVAL_MS, min(late_ms))


def first_not_synced_ms(events):
    """Since when the oldest segment that is not synced to its end is being written, or was synced
    the last time."""
    made, synced = {}, {}
    for e in events:
        if "/wal/" not in e.path or e.ended is None or e.result < 0:
            continue
        if e.op == "create":
            made[e.path] = e.ns // 1_000_000
        elif e.op in ("fsync", "fdatasync"):
            synced[e.path] = e.ns // 1_000_000
    paths = sorted(made)
    for path, after in zip(paths, paths[1:]):
        if synced.get(path, 0) < made[after]:
            return max(made[path], synced.get(path, 0))
    return max([0, *(max(made[path], synced.get(path, 0)) for path in paths[-1:])])


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
    for _ in range(ROUNDS[sync]):
        faults.log_path.unlink(missing_ok=True)
        sizes = power.sizes_of(server.data)
        restart(server)
        if rng.random() < 0.9:  # else the power fails while it recovers
            traffic.go()
            time.sleep(rng.uniform(0.02, WRITING_SECONDS))
        killed_ms = time.monotonic_ns() // 1_000_000
        server.kill()
        events = faults.events()
        taken += power.cut(sizes, events, rng)
        restart(server)
        gone += traffic.check(stable_until(sync, events, killed_ms))["gone"]
        server.kill()  # what it did since is on disk: the next round begins with it
    print(f"{ROUNDS[sync]} power cuts took {taken} bytes and {gone} acknowledged samples")
    assert taken + gone > 0 or not LONG  # a few cuts may take nothing
    if sync == "always":
        assert gone == 0
