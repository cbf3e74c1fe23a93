#!/usr/bin/env python3
"""Programs that know nothing of us, on our heap: do they still do what they did?

    programs.py libhearth-malloc.so [case...]

Each case runs once on libc's malloc and once with the library in LD_PRELOAD; the results must be
the same. Every process that ends by exit also walks its heap, checks its books and, if its threads
rest, compares the two (see malloc_shim.c); it aborts on a broken invariant or a difference, and
that is noticed. HEARTH_LONG in the environment makes the work large. A program that is not
installed is skipped, and that is said.
"""
import difflib
import os
import pathlib
import sys
import tempfile
import time

import builds
import pythons
import repositories
import servers
from runner import Runner, Skipped, program

LONG = bool(os.environ.get("HEARTH_LONG"))
DIFFERENCE_LINES_MAX = 20


def sqlite_import(r):
    rows = 1_000_000 if LONG else 60_000
    with open(r.folder / "rows.csv", "w", encoding="ascii") as f:
        for i in range(rows):
            h = i * 2654435761 % 2**32
            f.write(f"{i},{h},name-{h % 5000},{'x' * (h % 90)}\n")
    return r.run(program("sqlite3"), "t.db", stdin=b"""
.mode csv
create table t(id integer, h integer, name text, pad text);
.import rows.csv t
create index by_name on t(name, h);
select name, count(*), sum(h), max(length(pad)) from t group by name order by name;
delete from t where h % 3 = 0;
vacuum;
pragma integrity_check;
select count(*), sum(length(pad)) from t where name like 'name-1%';
""")


CASES = {case.__name__: case for case in (
    builds.every_name, sqlite_import, pythons.python_forks, pythons.python_modules,
    repositories.git_repository, repositories.git_clone, builds.cpp_build,
    servers.nginx_under_load, servers.apache_under_load)}


def difference(plain, ours):
    """The lines that one has and the other has not, if they are few."""
    lines = [text.decode(errors="replace").splitlines() for text in (plain, ours)]
    rows = list(difflib.unified_diff(*lines, "on libc", "ours", lineterm="", n=0))
    return "\n".join(rows[:DIFFERENCE_LINES_MAX])


def compare(case, library):
    results = []
    processes = {}
    for preload in (None, library):
        with tempfile.TemporaryDirectory(prefix="hearth-preload-") as name:
            r = Runner(pathlib.Path(name), preload)
            start = time.monotonic()
            results.append((case(r), time.monotonic() - start))
            if preload:
                processes = r.reported()
    (plain, plain_s), (ours, ours_s) = results
    if plain != ours:
        raise AssertionError(f"the results differ:\n{difference(plain, ours)}")
    compared = sum(processes.values())
    if compared == 0:
        raise AssertionError("no process compared its books with its heap: was the library used?")
    return (f"same result; {len(processes)} processes walked their heap, {compared} at rest; "
            f"{plain_s:.1f} s, ours {ours_s:.1f} s")


def main():
    library = os.path.abspath(sys.argv[1])
    failed = False
    for case in [CASES[name] for name in sys.argv[2:]] or CASES.values():
        try:
            print(f"{case.__name__}: {compare(case, library)}", flush=True)
        except Skipped as why:
            print(f"{case.__name__}: skipped, {why}", flush=True)
        except AssertionError as why:
            print(f"{case.__name__}: FAILED: {why}", flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
