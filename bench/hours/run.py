#!/usr/bin/env python3
"""Many series for many hours, in minutes: a real server whose wall clock the sender turns.

    run.py --hearth build/release/hearth --programs build/release/bench/hours \
        [--series 1000000] [--hours 40] [--results FILE] [--image docs/images/hours.svg]

The sender (sender.c) delivers one sample per series and 15 s step over HTTP as fast as the server takes
them, and moves the server's clock (clock_shim.c) with it. Every ten minutes of that time memory, disk and
CPU are looked at from outside and in /metrics; queries run beside, one every --query-pause seconds. At
the end queries compare what is stored with what was sent, and after a restart again.

Only the wall clock is turned: what goes by seconds (snapshots, the scavenger, log syncs) has its real
pace, and sealing a window, 240 s late at the most, has minutes instead of hours.
"""
import argparse
import http.client
import itertools
import json
import mmap
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "alloc"))

import chart  # noqa: E402
import servers  # noqa: E402

HOUR_MS = 3600_000
WINDOW_MS = 4 * HOUR_MS
WINDOWS_CHECKED = 7  # retained whole, whatever the time
SECONDS_MAX = 3600  # windows of a million chunks are written and read, on a machine that others use
QUERIES = [
    'count({__name__=~".+"})',
    "sum by(mode)(rate(node_cpu_seconds_total[5m]))",
    'node_load{instance="node-00001.example.internal:9100"}[10m]',
    "topk(5, sum by(pod)(container_memory_working_set_bytes))",
    'count_over_time(node_load{instance="node-00002.example.internal:9100",window="window-0"}[32h])',
]
METRICS = {
    "heap_alloc": "go_memstats_heap_alloc_bytes", "heap_inuse": "go_memstats_heap_inuse_bytes",
    "heap_idle": "go_memstats_heap_idle_bytes", "heap_released": "go_memstats_heap_released_bytes",
    "series": "prometheus_tsdb_head_series", "samples": "hearth_samples",
    "chunk_bytes": "hearth_chunk_bytes", "pressure": "hearth_memory_pressure",
    "wal_bytes": "hearth_wal_written_bytes_total", "snapshots": "hearth_snapshots_total",
    "snapshot_failures": "hearth_snapshot_failures_total",
}


class Clock:
    """A file of Unix milliseconds, shared with the server and the sender."""

    def __init__(self, path, now_ms):
        self.path = path
        path.write_bytes(struct.pack("<q", now_ms))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    def now_s(self):
        return struct.unpack("<q", self.map[:8])[0] / 1000

    def turn_by(self, seconds):
        self.map[:8] = struct.pack("<q", round((self.now_s() + seconds) * 1000))


class TurnedHearth(servers.Hearth):
    """Hearth with our clock and flags."""

    def __init__(self, folder, programs, clock, flags):
        super().__init__(folder)
        self.clock, self.flags = clock, flags
        self.environment = {**os.environ, "LD_PRELOAD": str(programs / "clock.so"), "HOURS_CLOCK": str(clock.path)}

    def command(self, data, port):
        # The clock is right whenever the sender says so.
        return [*super().command(data, port), "--storage.clock-patience=0s", *self.flags]

    def metrics(self):
        lines = self.get("/metrics")[1].decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


class Asker(threading.Thread):
    """Queries beside the ingestion, one connection."""

    def __init__(self, server, pause_s):
        super().__init__(daemon=True)
        self.server, self.pause_s = server, pause_s
        self.walls_ms = {query: [] for query in QUERIES}
        self.errors = []
        self.ending = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=300)
        for query in itertools.cycle(QUERIES):
            if self.ending.wait(self.pause_s):
                return
            start = time.monotonic()
            connection.request("GET", self.server.query_path("query", query=query, time=self.server.clock.now_s()))
            reply = connection.getresponse()
            body = reply.read()
            self.walls_ms[query].append((time.monotonic() - start) * 1000)
            if reply.status != 200:
                self.errors.append(f"{reply.status} {query}: {body[:200]!r}")


def record(server, line, started):
    """The sender's numbers of ten minutes, and ours of the moment."""
    metrics = server.metrics()
    row = {**line, "sent": line["samples"], "alive": line["series"], "wall_s": time.monotonic() - started,
           "rss": server.rss_bytes(), "cpu_s": server.cpu_s(), "disk": server.disk_bytes()}
    row.update({key: metrics.get(name) for key, name in METRICS.items()})
    return row


def progress(row):
    return (f"{row['hour']:6.2f} h {row['wall_s']:7.1f} s: RSS {row['rss'] / 1e6:,.0f} MB, in use "
            f"{row['heap_inuse'] / 1e6:,.0f}, live {row['heap_alloc'] / 1e6:,.0f}, chunks "
            f"{row['chunk_bytes'] / 1e6:,.0f}, series {row['series']:,.0f}, disk {row['disk'] / 1e6:,.0f}, "
            f"p99 {row['p99_ms']:.2f} ms, worst {row['max_ms']:.1f}, refused {row['refused']}, again {row['again']}")


def check(server, checks):
    """What a server answers that is not what was sent."""
    wrong = []
    for c in checks:
        at = f"{c['t_ms'] / 1000:.3f}"
        for query, expected in ((c["query"], c["value"]), (f"count_over_time({c['query']}[3547s])", c["count"])):
            result = server.query("query", query=query, time=at)["data"]["result"]
            got = float(result[0]["value"][1]) if len(result) == 1 else None
            if got != expected:
                wrong.append(f"{query} at {at}: {got}, not {expected}")
    return wrong


def run(args, folder):
    start_ms = int(time.time() * 1000) // WINDOW_MS * WINDOW_MS
    clock = Clock(folder / "clock", start_ms)
    server = TurnedHearth(folder / "hearth", args.programs, clock,
                          [f"--storage.chunk-duration={args.window_hours}h", *args.flags])
    server.start()
    sender = subprocess.Popen([args.programs / "sender", clock.path, "127.0.0.1", str(server.port), server.write_path,
                               f"series={args.series}", f"hours={args.hours}", f"start={start_ms}",
                               f"churn={args.churn}", f"batch={args.batch}",
                               f"checked={WINDOWS_CHECKED * args.window_hours}"], stdout=subprocess.PIPE, text=True)
    asker = Asker(server, args.query_pause)
    asker.start()
    rows, checks, started = [], [], time.monotonic()
    for text in sender.stdout:
        line = json.loads(text)
        if "checks" in line:
            checks = line["checks"]
            continue
        rows.append(record(server, line, started))
        print(progress(rows[-1]), file=sys.stderr, flush=True)
        if args.results:
            save(args, rows, asker, {})
    asker.ending.set()
    asker.join()
    end = {"sender_exit": sender.wait(), "checks": 2 * len(checks), "wrong": check(server, checks)}
    if args.results:
        save(args, rows, asker, end)
    if not args.restart:
        server.process.kill()
        return rows, asker, end
    end["stop_s"] = server.stop(seconds_max=SECONDS_MAX)
    begin = time.monotonic()
    server.start(SECONDS_MAX)
    end["restart_s"] = time.monotonic() - begin
    end["wrong_after_restart"] = check(server, checks)
    time.sleep(5)
    end["rss_after_restart"] = server.rss_bytes()
    end["after_restart"] = {key: server.metrics().get(name) for key, name in METRICS.items()}
    server.stop(seconds_max=SECONDS_MAX)
    return rows, asker, end


def save(args, rows, asker, end):
    results = {"about": {"series": args.series, "hours": args.hours, "churn_percent": args.churn, "batch": args.batch, "window_hours": args.window_hours,
                         "flags": args.flags, "date": time.strftime("%Y-%m-%d")},
               "rows": rows, "end": end, "query_errors": asker.errors,
               "queries": {q: {"count": len(w), "p50_ms": statistics.median(w), "max_ms": max(w)}
                           for q, w in asker.walls_ms.items() if w}}
    args.results.write_text(json.dumps(results, indent=1) + "\n")
    return results


LINES = {"resident": ("rss", "#009e73"), "heap in use": ("heap_inuse", "#56b4e9"),
         "live objects": ("heap_alloc", "#e69f00"), "samples": ("chunk_bytes", "#d55e00")}


def draw(results):
    about, rows = results["about"], results["rows"]
    picture = chart.Chart(f"{about['series']:,} series at 15 s steps, {about['churn_percent']:g} % of them replaced "
                          "every hour", "hours", "GB")
    for name, (key, colour) in LINES.items():
        chart.COLOURS[name] = colour
        picture.lines[name] = [(row["hour"], row[key] / 1e9) for row in rows]
    return chart.draw(picture)


def spread(rows, key, first, last):
    values = [row[key] for row in rows if first < row["hour"] <= last]
    return (min(values), max(values)) if values else (0, 0)


def print_summary(results):
    rows, end = results["rows"], results["end"]
    total = sum(row["sent"] for row in rows)
    print(f"samples {total:,}; refused {sum(row['refused'] for row in rows)}; sent again "
          f"{sum(row['again'] for row in rows)}; {total / rows[-1]['wall_s']:,.0f} samples/s; "
          f"CPU {rows[-1]['cpu_s'] * 1e6 / total:.3f} s per million samples")
    print("| hours | RSS MB, least and most | heap in use | live objects | series held | request p99 ms, worst |\n"
          "|---|---|---|---|---|---|")
    window = results["about"]["window_hours"]
    for first in range(0, int(rows[-1]["hour"]), window):
        end_of = first + window
        low, high = spread(rows, "rss", first, end_of)
        print(f"| {first} to {end_of} | {low / 1e6:,.0f} to {high / 1e6:,.0f} | "
              f"{spread(rows, 'heap_inuse', first, end_of)[1] / 1e6:,.0f} | "
              f"{spread(rows, 'heap_alloc', first, end_of)[1] / 1e6:,.0f} | "
              f"{spread(rows, 'series', first, end_of)[1]:,.0f} | {spread(rows, 'p99_ms', first, end_of)[1]:.2f} |")
    print(json.dumps(end))
    print("query errors:", results["query_errors"][:3], json.dumps(results["queries"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth")
    parser.add_argument("--programs", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=40)
    parser.add_argument("--churn", type=float, default=1, help="%% of the series replaced every hour")
    parser.add_argument("--window-hours", type=int, default=4, choices=(1, 2, 4))
    parser.add_argument("--batch", type=int, default=1, help="steps in one request")
    parser.add_argument("--query-pause", type=float, default=1)
    parser.add_argument("--no-restart", dest="restart", action="store_false", help="end with the last hour")
    parser.add_argument("--results", type=pathlib.Path, help="written as it goes; without --hearth, read")
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("flags", nargs="*", help="after --: more flags of the server")
    args = parser.parse_args()
    if args.hearth:
        servers.Hearth.binary = os.path.abspath(args.hearth)
        with tempfile.TemporaryDirectory(prefix="hearth-hours-") as folder:
            rows, asker, end = run(args, pathlib.Path(folder))
        args.results = args.results or pathlib.Path(os.devnull)
        results = save(args, rows, asker, end)
    else:
        results = json.loads(args.results.read_text())
    print_summary(results)
    if args.image:
        args.image.write_text(draw(results))


if __name__ == "__main__":
    main()
