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
    syncs = [e for e in events if e.op in ("fsync", "fdatasync") and "/wal/" in e.path]
    syncs = [e.ns // 1_000_000 for e in syncs]
    # The interval and one more for a sync that was under way, unless the machine was busy: then
    # what three syncs ago was there.
    return max(0, min([killed_ms - 2 * INTERVAL_MS, *syncs[-3:]]))


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
