"""Faults of the file system under a program: the Python side of faults.c (rules are told there).

    faults = Faults(tmp_path, under=server.data)
    server.env.update(faults.environment())
    faults.set("op=fdatasync err=EIO after=3 count=1")     # also while it runs
    faults.counts()["fdatasync"]                           # how often it was asked for
"""
import os
import pathlib
import re
import struct
import subprocess
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = os.environ.get(
    "HEARTH_FAULTS", str(ROOT / "build" / "release" / "tests" / "faults" / "libfaults.so")
)
OPERATIONS = (
    "open create read write fsync fdatasync truncate rename unlink mkdir stat lock list mmap link "
    "memory accept thread"
).split()
BEGIN = re.compile(r"(\d+) begin (\w+) (\d+) (-?\d+) (\d+) ([^\t]*)(?:\t(.*))?")
END = re.compile(r"(\d+) end (-?\d+) (\d+)( not done)?")


@dataclass
class Event:
    """An operation on files, from the log."""

    number: int
    op: str
    ns: int
    offset: int
    size: int
    path: str
    to: str  # rename and link; None for others
    began: int  # place in the order of things
    ended: int = None  # None: it was the last
    result: int = None  # or -errno
    done: bool = field(default=True)
    ended_ns: int = None


class Faults:
    def __init__(self, folder, under, seed=1, log=False):
        """folder: for the files of this object; under: what is watched."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rules_path = self.folder / "faults.rules"
        self.counts_path = self.folder / "faults.counts"
        self.log_path = self.folder / "faults.log"
        self.under, self.seed, self.logs = under, seed, log
        self.set("")

    def environment(self, program=None):
        """program: a binary that may be built with sanitizers; their library has to come first."""
        libraries = [*(sanitizers(program) if program else []), LIBRARY]
        out = {
            "LD_PRELOAD": " ".join(libraries),
            "FAULTS_UNDER": str(self.under),
            "FAULTS_FILE": str(self.rules_path),
            "FAULTS_COUNTS": str(self.counts_path),
            "FAULTS_SEED": str(self.seed),
        }
        return {**out, "FAULTS_LOG": str(self.log_path)} if self.logs else out

    def set(self, *rules):
        """From the next operation on."""
        new = self.rules_path.with_suffix(".new")
        new.write_text("\n".join(rules) + "\n")
        new.rename(self.rules_path)

    def counts(self):
        """{operation: how often it was asked for}, of all processes so far."""
        return {op: asked for op, (asked, _) in self._both().items()}

    def changed(self):
        """{operation: how often a rule changed its outcome}"""
        return {op: changed for op, (_, changed) in self._both().items()}

    def _both(self):
        data = self.counts_path.read_bytes() if self.counts_path.exists() else b""
        data = data.ljust(16 * len(OPERATIONS), b"\0")
        return dict(zip(OPERATIONS, struct.iter_unpack("<QQ", data)))

    def forget_counts(self):
        """Between two processes."""
        self.counts_path.unlink(missing_ok=True)

    def events(self):
        """The log of one process, in order of beginning. What is behind the last end of a line is
        being written, or was when the process was killed."""
        open_ones, out = {}, []
        for place, line in enumerate(self.log_path.read_text().split("\n")[:-1]):
            if m := BEGIN.fullmatch(line):
                n, op, ns, offset, size, path, to = m.groups()
                event = Event(int(n), op, int(ns), int(offset), int(size), path, to, place)
                open_ones[event.number] = event
                out.append(event)
            elif m := END.fullmatch(line):
                event = open_ones.pop(int(m[1]))
                event.ended, event.result, event.ended_ns = place, int(m[2]), int(m[3])
                event.done = not m[4]
            else:  # the kill came in the middle of a line, and another thread's is behind it
                assert place, f"{self.log_path}: {line!r}"
        return out


def sanitizers(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"=> (\S*/lib[at]san\S*)", listed)
