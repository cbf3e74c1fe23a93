#!/usr/bin/env python3
"""All allocators through the same experiments; one table per experiment, in Markdown.

    run.py --programs build/release/bench/alloc [--scale small|full] [--only list,spike]

The programs end in _malloc (glibc's, or the library in LD_PRELOAD) and _hearth (alloc/ linked in, as
in the server). What measures time runs alone; what measures memory and mostly waits runs side by
side. Libraries that are not installed are left out (Debian: libjemalloc2 libmimalloc2.0
libtcmalloc-minimal4). The last published run is in docs/alloc-performance.md.
"""
import argparse
import concurrent.futures
import datetime
import glob
import os
import platform
import subprocess
import sys

LIBRARIES = {
    "glibc": None,
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "hearth": None,
}
AT_ONCE = 3
SCALES = {
    "small": {
        "speed": "rounds=5", "list": "wait_s=8", "spike": "wait_s=12",
        "cycle": "high_mb=512 low_mb=32 turns=3 wait_s=9", "bigheap": "mb=512 seconds=4",
        "restart": "series=5000",
    },
    "full": {
        "speed": "rounds=7", "list": "wait_s=10", "spike": "wait_s=60",
        "cycle": "high_mb=4096 low_mb=256 turns=12 wait_s=10", "bigheap": "mb=2400 seconds=10",
        "restart": "series=20000",
    },
}
SPEED_COLUMNS = [
    ("pair", 64), ("pair", 1408), ("pair", 32768), ("pair", 65536), ("pair", 1048576),
    ("batch", 64), ("batch", 512), ("batch", 1408), ("batch", 4096), ("batch", 65536),
    ("batch", 1048576), ("fifo", 512), ("growth", 2048),
]


def library_path(name):
    found = glob.glob(f"/usr/lib/*/{name}")
    return found[0] if found else None


def allocators():
    out = {}
    for name, library in LIBRARIES.items():
        path = library_path(library) if library else ""
        if path is None:
            print(f"no {name} here, left out", file=sys.stderr)
        else:
            out[name] = path
    return out


class Driver:
    def __init__(self, options):
        self.programs = options.programs
        self.scale = SCALES[options.scale]
        self.allocators = allocators()

    def run(self, allocator, experiment, *more):
        kind = "hearth" if allocator == "hearth" else "malloc"
        env = dict(os.environ)
        if self.allocators[allocator]:
            env["LD_PRELOAD"] = self.allocators[allocator]
        command = [os.path.join(self.programs, f"{experiment}_{kind}"),
                   *self.scale[experiment].split(), *more]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True,
                              timeout=3600).stdout

    def one_by_one(self, experiment, *more):
        return {a: self.run(a, experiment, *more) for a in self.allocators}

    def side_by_side(self, experiment, *more):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {a: pool.submit(self.run, a, experiment, *more) for a in self.allocators}
            return {a: job.result() for a, job in jobs.items()}


def fields(line):
    words = line.split()
    return dict(zip(words[0::2], words[1::2]))


def table(title, head, rows):
    print(f"\n### {title}\n\n| allocator | " + " | ".join(head) + " |")
    print("|---" * (len(head) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def single_line(title, results, columns):
    rows = {}
    for name, output in results.items():
        values = fields(output)
        rows[name] = [values.get(key, "-") for key in columns]
    table(title, list(columns.values()), rows)


def speed(driver):
    for threads in (1, 2):
        rows = {}
        for name, output in driver.one_by_one("speed", f"threads={threads}").items():
            values = {tuple(line.split()[:2]): line.split()[2] for line in output.splitlines()}
            rows[name] = [values[(shape, str(size))] for shape, size in SPEED_COLUMNS]
        head = [f"{shape} {size}" for shape, size in SPEED_COLUMNS]
        table(f"speed, {threads} thread{'s' * (threads > 1)}: ns of CPU per pair", head, rows)


def nodes(driver):
    single_line("list: 2,000,001 nodes of 16 bytes", driver.one_by_one("list"), {
        "node_bytes": "resident bytes per node", "alloc_ns": "ns per allocation",
        "free_ns": "ns per free", "freed_mb": "MB when freed", "later_mb": "MB later"})


def spike(driver):
    columns = {"peak_mb": "peak MB", "back_s": "seconds until it is back", "idle_mb": "MB at the end",
               "lazy_mb": "of it lazily free"}
    single_line("spike: 256 MB of 1 KB objects ten times, then idle",
                driver.side_by_side("spike"), columns)
    single_line("spike, in one block", driver.side_by_side("spike", "object=0"), columns)
    lazily = {"hearth, MADV_FREE": driver.run("hearth", "spike", "lazily=1")}
    single_line("spike, given back lazily", lazily, columns)


def cycle(driver):
    columns = {"high": "high MB", "live": "live MB", "low": "resident at the low point",
               "low_later": "the same, later", "end": "after the last free"}
    for title, more in (("16 bytes to 1 MB, random frees", []),
                        ("16 bytes to 1 MB, oldest first", ["oldest=1"]),
                        ("chunk sizes, random frees", ["chunks=1"]),
                        ("chunk sizes, oldest first", ["chunks=1", "oldest=1"])):
        single_line(f"cycle: {title}", driver.side_by_side("cycle", *more), columns)


def bigheap(driver):
    single_line("bigheap: two workers replace objects of a large live set",
                driver.one_by_one("bigheap"), {
                    "p50_ns": "p50 ns", "p99_ns": "p99", "p999_ns": "p99.9", "p9999_ns": "p99.99",
                    "allocs_m_s": "million allocations/s", "built_mb": "MB when built",
                    "end_mb": "MB at the end"})


RESTARTS = [("never", "mode=0"), ("random", "mode=1"), ("time", "mode=2"),
            ("time, by another thread", "mode=2 thread=1")]
REGION_RESTARTS = [("never", "mode=0"), ("random", "mode=1"),
                   ("random, by another thread", "mode=1 thread=1")]


class Restart:
    """What one run of the restart program printed."""

    def __init__(self, output, has_books):
        self.readings = {"boundary": [], "expiry": []}
        self.costs = {}
        self.has_books = has_books
        for line in output.splitlines():
            what, rest = line.split(" ", 1)
            if what == "cost":
                self.costs = fields(rest)
            else:
                self.readings[what].append({k: float(v) for k, v in fields(rest).items()})

    def worst(self, what, key):
        return max(reading[key] for reading in self.readings[what])

    def row(self):
        frag = [f"{r['frag']:.2f}" if self.has_books else "-" for r in self.readings["boundary"]]
        worst = [f"{max(self.worst(w, 'frag') for w in self.readings):.2f}" if self.has_books else "-",
                 f"{self.worst('boundary', 'rss_per_payload'):.3f}",
                 f"{self.worst('expiry', 'rss_per_payload'):.3f}"]
        return frag + worst


def restart(driver):
    runs = {}
    for label, mode in RESTARTS:
        for name, output in driver.side_by_side("restart", *mode.split()).items():
            # mimalloc has no such figures; glibc's are then those of a heap nobody uses.
            runs[f"{name}, {label}"] = Restart(output, name != "mimalloc")
    for label, mode in REGION_RESTARTS:
        output = driver.run("hearth", "restart", "regions=1", *mode.split())
        runs[f"hearth with regions, {label}"] = Restart(output, True)
    hours = [f"{r['hours']:.0f} h" for r in next(iter(runs.values())).readings["boundary"]]
    table("restart: (inuse - alloc) / inuse in % before each boundary, by hours since the restart",
          hours + ["worst reading", "RSS/payload, worst before a boundary", "and behind an expiry"],
          {name: run.row() for name, run in runs.items()})
    columns = {"append_ns": "ns per append", "growth_copies": "growth copies",
               "seal_ns": "ns per chunk sealed", "seal_slice_us": "longest slice of it, us",
               "expiry_ns": "ns per chunk expired", "expiry_longest_us": "longest expiry, us",
               "restore_ns": "ns per chunk restored"}
    table("restart: what it costs", list(columns.values()),
          {name: [run.costs[key] for key in columns] for name, run in runs.items()})


EXPERIMENTS = {"speed": speed, "bigheap": bigheap, "list": nodes, "spike": spike, "cycle": cycle,
               "restart": restart}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", required=True)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--only", default=",".join(EXPERIMENTS))
    options = parser.parse_args()
    driver = Driver(options)
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs, "
          f"Linux {platform.release()}, scale {options.scale}, "
          f"load {os.getloadavg()[0]:.1f}", flush=True)
    for name in options.only.split(","):
        EXPERIMENTS[name](driver)


if __name__ == "__main__":
    main()
