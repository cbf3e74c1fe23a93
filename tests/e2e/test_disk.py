"""Trouble with the disk under a running server: while it cannot promise it says 503, queries go on,
and it recovers by itself. A small tmpfs is full; tests/faults refuses, fails and delays."""
import errno
import os
import shutil
import subprocess
import time

import pytest

from crash import begin_traffic, dice, restart
from faults import Faults
from hearth import BINARY, LONG, lived, now_ms, series, wait_until

RESUME_SECONDS = 5
FULL_SECONDS = 30 if LONG else 3


class Ledger:
    """One new sample for each request; knows what was acknowledged."""

    def __init__(self, server):
        self.server, self.acknowledged, self.t = server, {}, now_ms() - 3600_000

    def write(self, padding=0):
        self.t += 1
        labels = {"__name__": "m", "n": str(self.t % 7)}
        if padding:
            labels["padding"] = os.urandom(padding // 2).hex()
        reply = self.server.write([series(labels, [(self.t, float(self.t))])])
        if reply.code == 204:
            self.acknowledged[self.t] = float(self.t)
        return reply

    def resumes(self):
        """A write is taken again, soon enough."""
        wait_until(lambda: self.write().code == 204, RESUME_SECONDS, 0.1, "writes resume")

    def check(self):
        found = self.server.points("m", 2 * 3600, now_ms() / 1000 + 60)
        there = {t: float(text) for points in found.values() for t, text in points}
        lost = [t for t in self.acknowledged if there.get(t) != self.acknowledged[t]]
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} are lost"

    def check_killed(self):
        self.server.kill()
        self.server.start()
        self.check()


def refuses(reply):
    return reply.code == 503 and "Retry-After" in reply.headers


@pytest.fixture
def mount(tmp_path):
    """mount("2m"): the folder of a file system of that size."""
    mounted = []
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")

    def mount_one(size):
        folder = tmp_path / "small"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr}")
        mounted.append(folder)
        return folder

    yield mount_one
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk(make, mount):
    small_disk = mount("2m")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    server = make(f"--storage.path={small_disk}/data", "--snapshot.interval=1s").start()
    ledger = Ledger(server)
    wait_until(lambda: refuses(ledger.write(60_000)), 60, 0.01, "the disk is full")
    for _ in range(20):
        code = ledger.write(60_000).code
        assert code in (204, 503)
        ledger.check()
    assert server.metrics()["prometheus_tsdb_wal_writes_failed_total"] > 0
    assert "No space left on device" in server.log
    server.kill()
    server.start()  # also on a full disk
    ledger.check()
    ballast.unlink()
    ledger.resumes()
    ledger.check_killed()


def take_all_space(path):
    """Whatever is free now; a snapshot may free more."""
    with open(path, "ab", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while f.write(bytes(size)) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("sync", ["interval", "always"])
def test_a_full_disk_under_load_and_kills(make, programs, tmp_path, mount, sync):
    rng = dice()
    disk = mount("64m")
    flags = [f"--storage.path={disk}/data"]
    server, traffic = begin_traffic(make, programs, tmp_path, sync, "turned", rng, flags)

    def stored():
        return server.metrics()['hearth_write_samples_total{outcome="stored"}']

    traffic.go()
    wait_until(lambda: stored() > 0, what="it writes")
    kills, full_until = 0, time.monotonic() + FULL_SECONDS
    while time.monotonic() < full_until or kills < 2:
        take_all_space(disk / "ballast")
        server.query("count(ledger)")
        if rng.random() < 0.05:
            server.kill()
            restart(server)  # also on a full disk
            kills += 1
            traffic.check()
            traffic.go()
        time.sleep(0.1)
    (disk / "ballast").unlink()
    before, began = stored(), lived()
    wait_until(lambda: stored() > before, RESUME_SECONDS, 0.02, "writes resume")
    resumed = lived() - began
    server.kill()
    restart(server)
    verdict = traffic.check()
    print(f"{kills} kills on a full disk, writes resumed after {resumed:.2f} s; {verdict}")
    assert verdict["refused"] > 0


@pytest.fixture
def faulty(make, tmp_path):
    def start(*flags):
        server = make(*flags)
        server.faults = Faults(tmp_path / "faults", server.data)
        server.env.update(server.faults.environment(BINARY))
        return server.start()

    return start


def test_a_disk_that_is_read_only_or_refuses(faulty):
    server = faulty("--snapshot.interval=1s")
    ledger = Ledger(server)
    failed = 0
    for error in ("EROFS", "EIO", "ENOSPC", "EDQUOT", "ENODEV"):
        assert ledger.write().code == 204
        server.faults.set(f"op=change err={error}")
        assert refuses(ledger.write()) and refuses(ledger.write())
        ledger.check()
        server.faults.set("")
        ledger.resumes()
        now = server.metrics()["prometheus_tsdb_wal_writes_failed_total"]
        assert now >= failed + 2
        failed = now
    assert "write refused, samples are not acknowledged" in server.log
    ledger.check_killed()


def test_the_counter_of_failed_writes_is_exact(faulty):
    server = faulty("--snapshot.interval=1h", "--wal.sync=never")
    ledger = Ledger(server)
    server.faults.set("op=write path=/wal/ err=EIO count=3")
    codes = [ledger.write().code for _ in range(10)]
    assert codes.count(503) == 3
    assert server.metrics()["prometheus_tsdb_wal_writes_failed_total"] == 3
    ledger.check()


def test_short_and_interrupted_writes_are_not_seen(faulty):
    server = faulty("--snapshot.interval=1s")
    server.faults.set("op=write short=5 p=0.5", "op=write err=EINTR p=0.3")
    ledger = Ledger(server)
    assert all(ledger.write().code == 204 for _ in range(300))
    ledger.check_killed()


def test_a_failed_sync_is_not_tried_again_on_that_file(faulty):
    server = faulty("--wal.sync=always", "--snapshot.interval=1h")
    ledger = Ledger(server)
    assert ledger.write().code == 204
    segments = server.metrics()["prometheus_tsdb_wal_segment_current"]
    server.faults.set("op=fdatasync path=/wal/ err=EIO count=1")
    assert refuses(ledger.write())
    ledger.resumes()
    metrics = server.metrics()
    assert metrics["prometheus_tsdb_wal_segment_current"] > segments
    assert metrics["prometheus_tsdb_wal_writes_failed_total"] == 1
    assert "sync failed, a snapshot will take over" in server.log
    ledger.check_killed()


def test_a_failed_sync_of_what_was_acknowledged_stops_writes_until_a_snapshot_has_it(faulty):
    server = faulty("--wal.sync-interval=50ms", "--snapshot.interval=1h")
    ledger = Ledger(server)
    server.faults.set("op=fdatasync err=EIO")
    wait_until(lambda: refuses(ledger.write()), 30, 0.01, "a sync failed")
    ledger.check()
    time.sleep(0.2)
    assert refuses(ledger.write()), "snapshots fail, too"
    server.faults.set("")
    ledger.resumes()
    wait_until(lambda: 'msg="published"' in server.log)  # told behind the fact
    ledger.check_killed()


def test_a_slow_disk_slows_writers_not_readers(faulty):
    server = faulty("--wal.sync=always")
    ledger = Ledger(server)
    ledger.write()
    server.faults.set("op=sync delay=300", "op=write delay=300")
    began = time.monotonic()
    assert ledger.write().code == 204
    assert time.monotonic() - began > 0.5
    took = []
    for _ in range(20):
        began = time.monotonic()
        server.query("m", now_ms() / 1000)
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.25, took
    ledger.check()


def take_away(data, how, aside):
    """Under a server that goes on making files in it."""
    while data.exists():
        if how == "moved":
            data.rename(aside)
        else:
            shutil.rmtree(data, ignore_errors=True)


@pytest.mark.parametrize("sync", ["interval", "always", "never"])
@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_data_folder_that_is_taken_away_comes_back_from_memory(make, tmp_path, sync, how):
    server = make(f"--wal.sync={sync}", "--snapshot.interval=1h").start()
    ledger = Ledger(server)
    for _ in range(100):
        assert ledger.write().code == 204
    take_away(server.data, how, tmp_path / "aside")
    reply = ledger.write()
    assert refuses(reply) and str(server.data) in reply.text, reply
    ledger.check()
    ledger.resumes()
    wait_until(lambda: 'msg="published"' in server.log)  # told behind the fact
    ledger.check_killed()


def test_a_data_folder_that_is_taken_away_under_load(make, programs, tmp_path):
    rng = dice()
    server, traffic = begin_traffic(make, programs, tmp_path, "interval", "turned", rng)

    def stored():
        return server.metrics()['hearth_write_samples_total{outcome="stored"}']

    traffic.go()
    for how in ("wal", "", "windows", "manifests"):
        before = stored()
        wait_until(lambda: stored() > before, what="it writes")
        take_away(server.data / how, "removed", None)
        before = server.log.count('msg="published"')
        wait_until(lambda: server.log.count('msg="published"') > before + 1, what="all is there")
        server.kill()
        restart(server)
        traffic.check()
        traffic.go()
    print(traffic.check())


def test_the_folder_stays_locked_without_its_lock(make, tmp_path):
    server = make().start()
    (server.data / "lock").unlink()
    second = subprocess.run(
        [BINARY, f"--storage.path={server.data}", "--web.listen-address=127.0.0.1:0"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert second.returncode == 1 and "in use by another process" in second.stderr
