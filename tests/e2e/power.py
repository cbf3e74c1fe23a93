"""A power cut, as it may leave a folder: by the log of what a process did there (tests/faults),
each file goes back to what was synced of it, plus any part of the rest, of which some pages are
zeros; a name that was made or changed and whose folder was not synced since goes back to what it
was, or not.

What was there when the process began counts as synced. Names that were removed stay removed: nobody
has kept the bytes (tests/sim has, and lets them come back).
"""
import os
from dataclasses import dataclass, field

PAGE = 4096


@dataclass
class File:
    synced: int = 0  # bytes
    writes: list = field(default_factory=list)  # the good ones since, as events


@dataclass
class Naming:
    """A name whose folder was not synced since."""

    op: str
    path: str
    to: str
    ended: int


def sizes_of(folder):
    """{path: bytes} of all files below."""
    paths = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return {path: os.stat(path).st_size for path in paths}


def note_sync(file, sync):
    """It makes stable what the file held and each write that ended before: the log has a sync's
    beginning after its size was taken, and a write may fit between."""
    ends = [w.offset + w.result for w in file.writes if w.ended <= sync.began]
    file.synced = max(file.synced, sync.size, *ends)
    file.writes = [w for w in file.writes if w.ended > sync.began]


def what_is_stable(sizes, events):
    """({path: File}, [Naming]) after the events of a process that began with these sizes."""
    files = {path: File(size) for path, size in sizes.items()}
    namings = []
    for e in events:
        good = e.ended is not None and e.done and e.result >= 0
        if e.op in ("fsync", "fdatasync"):
            if good and e.path in files:
                note_sync(files[e.path], e)
            elif good:  # a folder
                namings = [
                    n for n in namings
                    if os.path.dirname(n.to or n.path) != e.path or n.ended > e.began
                ]
        elif e.ended is not None and not good:
            continue
        elif e.op == "write" and good and e.path in files:
            files[e.path].writes.append(e)
        elif e.op == "truncate" and e.path in files:
            files[e.path] = File(min(files[e.path].synced, e.size))
        elif e.op == "create":
            files[e.path] = File()
            namings.append(Naming(e.op, e.path, None, e.ended or 1 << 60))
        elif e.op == "rename" and e.path in files:
            files[e.to] = files.pop(e.path)
            namings.append(Naming(e.op, e.path, e.to, e.ended or 1 << 60))
        elif e.op == "unlink":
            files.pop(e.path, None)
    return files, namings


def first_loose_ms(events):
    """Since when there are records in the log that a power cut may take: of the first that began to
    be written and was not synced since. None: there are none. A segment's name is synced before its
    records, and what a segment held that is gone is in a snapshot."""
    logs = {}
    for e in events:
        good = e.ended is not None and e.done and e.result >= 0
        if e.op == "write" and "/wal/" in e.path and e.offset > 0:  # else the head of a segment
            logs.setdefault(e.path, []).append(e)
        elif e.op in ("fsync", "fdatasync") and good and e.path in logs:
            logs[e.path] = [w for w in logs[e.path] if w.ended is None or w.ended > e.began]
        elif e.op == "unlink" and good:
            logs.pop(e.path, None)
    loose = [w.ns for writes in logs.values() for w in writes]
    return min(loose) // 1_000_000 if loose else None


def syncing_ms(events, since_ms):
    """For how long since then syncs of the log were under way, one behind the other; it is not the
    server's fault that a disk takes its time."""
    last_ns = since_ns = since_ms * 1_000_000
    total_ns = 0
    now_ns = max((e.ended_ns or e.ns for e in events), default=since_ns)
    for e in events:
        if e.op in ("fsync", "fdatasync") and "/wal" in e.path:
            end_ns = now_ns if e.ended is None else e.ended_ns
            total_ns += max(0, end_ns - max(e.ns, last_ns))
            last_ns = max(last_ns, end_ns)
    return total_ns // 1_000_000


def cut_file(path, synced, rng):
    now = os.stat(path).st_size
    if now <= synced:
        return
    kept = rng.choice((synced, now, rng.randint(synced, now)))
    with open(path, "r+b") as f:
        f.truncate(kept)
        for page in range(synced // PAGE, (kept + PAGE - 1) // PAGE):
            if rng.random() < 0.1:
                begin, end = max(page * PAGE, synced), min((page + 1) * PAGE, kept)
                f.seek(begin)
                f.write(bytes(end - begin))


def cut(sizes, events, rng):
    """Change the files on disk to what the power left; returns how many bytes it took."""
    files, namings = what_is_stable(sizes, events)
    for n in reversed(namings):
        if rng.random() < 0.5:
            continue
        if n.op == "create" and os.path.exists(n.path):
            os.remove(n.path)
            files.pop(n.path, None)
        elif n.op == "rename" and os.path.exists(n.to):
            os.rename(n.to, n.path)
            files[n.path] = files.pop(n.to, File())
    before = after = 0
    for path, file in files.items():
        if os.path.exists(path):
            before += os.stat(path).st_size
            cut_file(path, file.synced, rng)
            after += os.stat(path).st_size
    return before - after
