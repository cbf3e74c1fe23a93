"""The layer itself, under a Python that does a few operations."""
import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from faults import Faults

PROGRAM = """
import os, sys
def tell(what):
    try:
        print(what(), flush=True)
    except OSError as e:
        print("-%d" % e.errno, flush=True)
folder = sys.argv[1]
path = folder + "/file"
tell(lambda: os.mkdir(folder + "/sub"))
fd = os.open(path, os.O_RDWR | os.O_CREAT)
for n in range(4):
    tell(lambda: os.pwrite(fd, b"0123456789", 10 * n))
    tell(lambda: os.fsync(fd))
tell(lambda: os.pread(fd, 5, 0))
tell(lambda: os.ftruncate(fd, 5))
tell(lambda: os.rename(path, path + "2"))
tell(lambda: os.unlink(path + "2"))
tell(lambda: os.write(1, b""))
"""
FAIR = [
    "None", *["10", "None"] * 4, "b'01234'", "None", "None", "None", "0"
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def faults(tmp_path, folder):
    return Faults(tmp_path, folder, log=True)


def run(faults, folder, code=0):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True,
        env={**os.environ, **faults.environment()}, check=False,
    )  # fmt: skip
    assert done.returncode == code, done
    return done.stdout.splitlines()


def test_nothing_happens_without_rules(faults, folder):
    assert run(faults, folder) == FAIR
    counts = faults.counts()
    assert (counts["write"], counts["fsync"], counts["create"], counts["rename"]) == (4, 4, 1, 1)
    assert set(faults.changed().values()) == {0}


def test_an_operation_is_refused_so_often(faults, folder):
    faults.set("op=fsync err=EIO after=1 count=2", "op=rename path=/file err=EROFS")
    lines = run(faults, folder)
    assert lines[2::2][:4] == ["None", f"-{errno.EIO}", f"-{errno.EIO}", "None"]
    assert lines[11] == f"-{errno.EROFS}"
    assert faults.changed()["fsync"] == 2


def test_a_write_may_be_short_and_a_read_damaged(faults, folder):
    faults.set("op=write short=3 count=1", "op=read flip=1")
    lines = run(faults, folder)
    assert lines[1] == "3"
    before, after = b"012\0\0", eval(lines[9])
    assert sum((a ^ b).bit_count() for a, b in zip(before, after)) == 1


def test_a_lie_says_yes_and_does_nothing(faults, folder):
    faults.set("op=write err=0 count=1")
    lines = run(faults, folder)
    assert lines[1] == "10" and lines[9] == r"b'\x00\x00\x00\x00\x00'"
    write = next(e for e in faults.events() if e.op == "write")
    assert write.result == 10 and not write.done


def test_a_delay_is_waited(faults, folder):
    faults.set("op=sync delay=50")
    before = time.monotonic()
    assert run(faults, folder) == FAIR
    assert time.monotonic() - before > 0.2


def test_what_is_held_waits_for_other_rules(faults, folder):
    faults.set("op=fsync after=1 count=1 hold=1")
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **faults.environment()},
    )  # fmt: skip
    for _ in range(4):  # the second fsync is not told
        program.stdout.readline()
    time.sleep(0.1)
    assert program.poll() is None and faults.counts()["fsync"] == 2
    held = next(e for e in faults.events() if e.op == "fsync" and e.ended is None)
    faults.set("")
    assert program.stdout.read().splitlines() == FAIR[4:]
    assert program.wait() == 0
    ended = next(e for e in faults.events() if e.number == held.number)
    assert ended.result == 0 and ended.ended_ns - ended.ns >= 100_000_000


def test_every_change_can_be_the_last(faults, folder):
    faults.set("op=change after=1000000 kill=before")
    assert run(faults, folder) == FAIR
    total = sum(faults.counts()[op] for op in ("mkdir", "create", "write", "fsync", "truncate"))
    total += faults.counts()["rename"] + faults.counts()["unlink"]
    assert total == len(faults.events()) == 13
    for n in range(total):
        for path in folder.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()
        faults.log_path.unlink()
        faults.set(f"op=change after={n} kill={'before' if n % 2 else 'after'}")
        run(faults, folder, -signal.SIGKILL)
        events = faults.events()
        assert len(events) == n + 1
        assert [e.ended is None for e in events] == [False] * n + [n % 2 == 1]


def test_the_end_may_be_in_the_middle_of_a_write(faults, folder):
    faults.set("op=write after=2 short=4 kill=before")
    run(faults, folder, -signal.SIGKILL)
    assert (folder / "file").stat().st_size == 24


def test_the_log_tells_what_was_synced(faults, folder):
    run(faults, folder)
    events = faults.events()
    syncs = [e for e in events if e.op == "fsync"]
    assert [e.size for e in syncs] == [10, 20, 30, 40]
    assert all(e.result == 0 and e.done for e in syncs)
    assert [(e.offset, e.size) for e in events if e.op == "write"] == [
        (0, 10), (10, 10), (20, 10), (30, 10)
    ]  # fmt: skip
    rename = next(e for e in events if e.op == "rename")
    assert rename.path == f"{folder}/file" and rename.to == f"{folder}/file2"
    assert all(a.ended < b.began for a, b in zip(events, events[1:]))


def test_what_lies_elsewhere_is_left_alone(faults, folder, tmp_path):
    faults.set("op=any err=EIO")
    other = tmp_path / "other"
    other.mkdir()
    assert run(faults, other) == FAIR


def test_a_rule_that_is_not_understood_ends_the_program(faults, folder):
    faults.set("op=wrote err=EIO")
    run(faults, folder, 99)
