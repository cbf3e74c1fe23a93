#!/usr/bin/env python3
"""All allocators through the same experiments; tables, charts, and the goals beside what was reached.

    run.py --programs build/release/bench/alloc [--scale small|full] [--only list cycle/chunk]
           [--allocators glibc hearth] [--results FILE] [--page docs/alloc-performance.md]

The programs end in _malloc (glibc's, or the library in LD_PRELOAD) and _hearth (alloc/ linked in, as
in the server). What measures time runs alone; what measures memory and mostly waits runs side by
side. Libraries that are not installed are left out (Debian: libjemalloc2 libmimalloc2.0
libtcmalloc-minimal4).

FILE (JSON) keeps what was measured: runs are added to it, and without --programs it is only read.
Tables go to the standard output; --page writes them between the markers of a page, and the charts
into images/ beside it. --only takes beginnings of experiment/variant.
"""
import argparse
import concurrent.futures
import datetime
import glob
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field

import goals
import page
from results import Results, parse


@dataclass
class Allocator:
    name: str
    library: str = ""
    env: dict = field(default_factory=dict)
    arguments: str = ""
    only: tuple = ()  # experiments; empty: all
    but: tuple = ()  # variants it has no part in

    def path(self):
        found = glob.glob(f"/usr/lib/*/{self.library}") if self.library else [""]
        return found[0] if found else None

    def program(self, experiment):
        return f"{experiment}_{'hearth' if self.name.startswith('hearth') else 'malloc'}"


ALLOCATORS = [
    Allocator("glibc"),
    Allocator("jemalloc", "libjemalloc.so.2"),
    Allocator("jemalloc, background thread", "libjemalloc.so.2",
              env={"MALLOC_CONF": "background_thread:true"}, only=("spike", "cycle")),
    Allocator("mimalloc", "libmimalloc.so.2"),
    Allocator("tcmalloc", "libtcmalloc_minimal.so.4"),
    Allocator("hearth"),
    Allocator("hearth, MADV_FREE", arguments="lazily=1", only=("spike",)),
    Allocator("hearth with regions", arguments="regions=1", only=("restart",),
              but=("never, moved when closed",)),
]
VARIANTS = {
    "speed": {"1 thread": "threads=1", "2 threads": "threads=2"},
    "list": {"": ""},
    "bigheap": {"": ""},
    "restart": {
        "never": "mode=0", "random": "mode=1", "time": "mode=2",
        "random, by another thread": "mode=1 thread=1",
        "time, by another thread": "mode=2 thread=1",
        "never, moved when closed": "mode=0 fit=1",
        "never, 200,000 series": "mode=0 series=200000",
        "random, 200,000 series": "mode=1 series=200000",
    },
    "spike": {"1 KB objects": "", "one block": "object=0"},
    "cycle": {
        "16 B to 1 MB, random frees": "turns=12", "16 B to 1 MB, oldest first": "oldest=1",
        "chunk sizes, random frees": "chunks=1", "chunk sizes, oldest first": "chunks=1 oldest=1",
    },
}
SCALES = {
    "small": {
        "speed": "rounds=5", "list": "wait_s=8", "bigheap": "mb=512 seconds=4",
        "restart": "series=5000", "spike": "wait_s=12", "cycle": "high_mb=512 low_mb=32 turns=2",
    },
    "full": {
        "speed": "rounds=7", "list": "wait_s=10", "bigheap": "mb=2400 seconds=10",
        "restart": "series=20000", "spike": "wait_s=20", "cycle": "high_mb=4096 low_mb=256 turns=2",
    },
}
AT_ONCE = {"spike": 4, "cycle": 3}  # others: one


def measure(allocator, options, experiment, arguments):
    env = {**os.environ, **allocator.env}
    if allocator.library:
        env["LD_PRELOAD"] = allocator.path()
    # The first of two equal names counts: a variant's own turns come before the scale's.
    command = [os.path.join(options.programs, allocator.program(experiment)), *arguments.split(),
               *allocator.arguments.split(), *SCALES[options.scale][experiment].split()]
    out = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=3600)
    return parse(out.stdout)


def measure_variant(results, options, experiment, variant, arguments):
    chosen = [a for a in ALLOCATORS if a.path() is not None and a.name in options.allocators
              and (not a.only or experiment in a.only) and variant not in a.but]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE.get(experiment, 1)) as pool:
        jobs = {a.name: pool.submit(measure, a, options, experiment, arguments) for a in chosen}
        for name, job in jobs.items():
            results.put(experiment, variant, name, job.result())
            print(f"{experiment} {variant}: {name}", file=sys.stderr)


def describe(results, options):
    with open("/proc/cpuinfo", encoding="ascii") as f:
        cpu = next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    results.about = {"date": str(datetime.date.today()), "cpu": cpu, "cpus": os.cpu_count(),
                     "linux": platform.release(), "scale": options.scale}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--only", nargs="+", default=[""])
    parser.add_argument("--allocators", nargs="+", default=[a.name for a in ALLOCATORS])
    parser.add_argument("--results")
    parser.add_argument("--page")
    options = parser.parse_args()
    results = Results(options.results)
    if options.programs:
        describe(results, options)
    for experiment, variants in VARIANTS.items() if options.programs else ():
        for variant, arguments in variants.items():
            if variant in goals.LARGE and options.scale != "full":
                continue
            if f"{experiment}/{variant}".startswith(tuple(options.only)):
                measure_variant(results, options, experiment, variant, arguments)
    if options.page:
        page.write(results, options.page)
    else:
        print(page.tables(results))


if __name__ == "__main__":
    main()
