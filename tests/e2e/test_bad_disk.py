"""A disk that fails now and then, under load and with kills: what was acknowledged is there, the
process lives, and every error of the log is counted."""
import errno
import os
import time

import pytest

from crash import begin_traffic, dice, restart
from faults import Event, Faults
from hearth import LONG, wait_until

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
    """Files whose sync failed, and was tried again: begun behind the end of the one that failed."""
    failed, again = {}, set()  # path: where that end is
    for e in events:
        if e.op == "create":
            failed.pop(e.path, None)
        elif e.op in ("fsync", "fdatasync") and e.size > 0 and not os.path.isdir(e.path):
            if e.began > failed.get(e.path, e.began):
                again.add(e.path)
            if e.result == -errno.EIO:
                failed[e.path] = min(e.ended, failed.get(e.path, e.ended))
    return again


def test_the_judge_knows_a_second_sync():
    def sync(began, ended, result=0):
        return Event(began, "fdatasync", began, 0, 64, "/wal/1", None, began, ended, result)

    fails = sync(1, 4, -errno.EIO)
    assert synced_again([fails, sync(5, 6)]) == {"/wal/1"}
    assert synced_again([fails, sync(2, 6)]) == set(), "it had begun before"
    assert synced_again([sync(0, 2), fails]) == set()


def count_errors(server, faults):
    """(errors of the log,) when the server has counted them; it does so behind the operation."""
    counted = server.metrics()["prometheus_tsdb_wal_writes_failed_total"]
    failed, heads = errors_of_the_log(faults.events())
    return (failed,) if failed - heads <= counted <= failed else None


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
            found = wait_until(lambda: count_errors(server, faults), what="all are counted")
            errors += found[0]
        server.kill()
        assert not synced_again(faults.events())
        rounds += 1
    faults.set("")
    restart(server)
    verdict = traffic.check()
    print(f"{rounds} kills, {errors} errors of the log counted; {verdict}")
    assert verdict["acknowledged"] > 0 and (errors > 0 or not LONG)
