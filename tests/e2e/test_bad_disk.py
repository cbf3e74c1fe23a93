"""A disk that fails now and then, under load and with kills: what was acknowledged is there, the
process lives, and every error of the log is counted."""
import errno
import os
import time

import pytest

from crash import begin_traffic, dice, restart
from faults import Faults
from hearth import LONG

SECONDS = 600 if LONG else 10
RULES = ("op=write err=EIO p=0.01", "op=sync err=EIO p=0.01", "op=write short=100 p=0.05")
HEAD_BYTES = 64  # of a segment; one that a snapshot could not begin is the snapshot's failure


def errors_of_the_log(events):
    """How many writes and syncs of the log failed; and of them, heads of new segments."""
    failed = [
        e for e in events
        if e.op in ("write", "fsync", "fdatasync") and "/wal" in e.path and e.result == -errno.EIO
    ]
    heads = [e for e in failed if e.op == "write" and e.offset == 0 and e.size <= HEAD_BYTES]
    return len(failed), len(heads)


def synced_again(events):
    """Files whose sync failed, and was tried again."""
    failed, again = set(), set()
    for e in events:
        if e.op == "create":
            failed.discard(e.path)
        elif e.op in ("fsync", "fdatasync") and e.size > 0 and not os.path.isdir(e.path):
            if e.path in failed:
                again.add(e.path)
            if e.result == -errno.EIO:
                failed.add(e.path)
    return again


@pytest.mark.parametrize("sync", ["always", "interval"])
def test_errors_under_load_cost_nothing_acknowledged(make, programs, tmp_path, sync):
    rng = dice()
    flags = ["--wal.sync-interval=100ms"]
    server, traffic = begin_traffic(make, programs, tmp_path, sync, "turned", rng, flags)
    assert server.stop() == 0
    faults = Faults(tmp_path / "faults", under=server.data, seed=rng.randrange(1 << 30), log=True)
    preload = [faults.environment()["LD_PRELOAD"], server.env["LD_PRELOAD"]]
    server.env = {**server.env, **faults.environment(), "LD_PRELOAD": " ".join(preload)}
    rounds = errors = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or rounds < 2:
        faults.log_path.unlink(missing_ok=True)
        faults.set("")
        restart(server)
        traffic.check()
        faults.set(*RULES)
        traffic.go()
        time.sleep(rng.uniform(0.3, 4.0))
        assert server.process.poll() is None, "it has ended"
        if rounds % 2:
            faults.set("")
            time.sleep(0.3)
            counted = server.metrics()["prometheus_tsdb_wal_writes_failed_total"]
            failed, heads = errors_of_the_log(faults.events())
            assert failed - heads <= counted <= failed
            errors += failed
        server.kill()
        assert not synced_again(faults.events())
        rounds += 1
    faults.set("")
    restart(server)
    verdict = traffic.check()
    print(f"{rounds} kills, {errors} errors of the log counted; {verdict}")
    assert verdict["acknowledged"] > 0 and (errors > 0 or not LONG)
