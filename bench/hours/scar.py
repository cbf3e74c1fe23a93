#!/usr/bin/env python3
"""Does a restart leave a scar? The same hours of samples for processes that are restarted, once or every
hour, by SIGTERM or kill -9, and for one that never is; their memory beside each other.

    scar.py --hearth build/release/hearth --programs build/release/bench/hours
        [--series 20000] [--hours 84] [--restart-at 36] [--step-ms 15000] [--image FILE]

The samples are those of sender.c, sent as fast as the server takes them, with its clock turned. A quarter of
an hour after the end of each window the clock stands still until that window is sealed, as it would be by then.
Free memory is given back (POST /debug/heap/release), which the scavenger would do with time, and then heap in
use, live objects, resident memory and spans by size class are noted.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "alloc"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import chart  # noqa: E402
import servers  # noqa: E402
from run import HOUR_MS, WINDOW_MS, Clock, TurnedHearth  # noqa: E402

SETTLE_SECONDS_MAX = 60
WINDOW_HOURS, WINDOWS = 4, 8
AFTER_HOURS = 0.25


@dataclass
class Plan:
    series: int
    hours: int
    restart_at: int
    step_ms: int = 15000
    churn: float = 1  # % of the series replaced every hour


# name: (hours at which it is restarted, how)
def kinds(plan):
    every = range(1, plan.hours)
    return {
        "never restarted": ((), None),
        "never restarted, again": ((), None),
        f"restarted at hour {plan.restart_at}": ((plan.restart_at,), signal.SIGTERM),
        f"killed at hour {plan.restart_at}": ((plan.restart_at,), signal.SIGKILL),
        "restarted every hour": (every, signal.SIGTERM),
    }


def heap_of(server):
    return json.loads(server.get("/debug/heap")[1])["data"]


def settle(server, now_ms):
    """Until the last window that was closed is sealed and the expired one is gone."""
    now = now_ms // WINDOW_MS * WINDOW_MS // 1000

    def is_settled():
        rows = heap_of(server)["regions"]
        closed = [r for r in rows if r["windowStart"] < now]
        return len(closed) < WINDOWS and all(r["openBytes"] == 0 for r in closed)

    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not is_settled() and time.monotonic() < deadline:
        time.sleep(0.05)


def look(server, hour):
    server.connection.request("POST", "/debug/heap/release")
    assert server.connection.getresponse().read()
    heap = heap_of(server)
    stats = heap["memStats"]
    return {
        "hour": hour, "rss": server.rss_bytes(), "heap_inuse": stats["HeapInuse"],
        "heap_alloc": stats["HeapAlloc"], "series": server.metrics()["prometheus_tsdb_head_series"],
        "samples": server.metrics()["hearth_samples"],
        "owners": {o["owner"]: o["bytes"] for o in heap["owners"]},
        "spans": {"cells" if "cells" in c else c["objectBytes"]: c["spans"] for c in heap["classes"] if c["spans"]},
    }


def life(plan, programs, folder, restarts, how):
    """The rows of one process, or of a row of them."""
    start_ms = int(time.time() * 1000) // WINDOW_MS * WINDOW_MS
    clock = Clock(folder / "clock", start_ms)
    # Snapshots often: what they keep at hand is then the same in all.
    flags = ["--web.enable-admin-api", "--snapshot.interval=2s"]
    server = TurnedHearth(folder / "hearth", programs, clock, flags)
    server.start()
    rows, sent = [], 0
    for hour in range(1, plan.hours + 1):
        window_ends = hour % WINDOW_HOURS == 0
        if not window_ends and hour not in restarts:
            continue
        to = hour + AFTER_HOURS
        subprocess.run(
            [programs / "sender", clock.path, "127.0.0.1", str(server.port), server.write_path,
             f"series={plan.series}", f"hours={to}", f"start={start_ms}", f"churn={plan.churn}",
             f"step={plan.step_ms}", f"first={int(sent * HOUR_MS) // plan.step_ms}"],
            stdout=subprocess.DEVNULL, check=True)
        sent = to
        if window_ends:
            settle(server, start_ms + int(to * HOUR_MS))
            rows.append(look(server, hour))
        if hour in restarts:
            server.stop(how)
            server.start()
    server.stop()
    return rows


def compare(row, control):
    """How far it is from a process that was never restarted, as fractions."""
    spans, others = row["spans"], control["spans"]
    unused = (row["heap_inuse"] - row["heap_alloc"]) - (control["heap_inuse"] - control["heap_alloc"])
    return {
        "rss": row["rss"] / control["rss"] - 1,
        "heap in use": row["heap_inuse"] / control["heap_inuse"] - 1,
        "in use and not allocated": unused / control["heap_inuse"],
        "spans": sum(spans.values()) / sum(others.values()) - 1,
        "spans of classes that have more": sum(max(0, n - others.get(size, 0)) for size, n in spans.items())
        / sum(others.values()),
    }


def run(plan, programs, only=None):
    """{kind: rows}"""
    out = {}
    for kind, (restarts, how) in kinds(plan).items():
        if only and kind not in only:
            continue
        with tempfile.TemporaryDirectory(prefix="hearth-scar-") as folder:
            out[kind] = life(plan, programs, pathlib.Path(folder), restarts, how)
    return out


def differences(results, plan):
    """{kind: [(hour, {what: fraction})]} of those that were restarted, from then on."""
    control = {row["hour"]: row for row in results["never restarted"]}
    return {
        kind: [(row["hour"], compare(row, control[row["hour"]])) for row in rows if row["hour"] > plan.restart_at]
        for kind, rows in results.items() if kind != "never restarted"
    }


def print_tables(plan, results):
    print("| | RSS at the end, MB | heap in use | in use and not allocated | spans |\n|---|---|---|---|---|")
    for kind, rows in results.items():
        last = rows[-1]
        print(f"| {kind} | {last['rss'] / 1e6:.1f} | {last['heap_inuse'] / 1e6:.1f} | "
              f"{(last['heap_inuse'] - last['heap_alloc']) / 1e6:.2f} | {sum(last['spans'].values())} |")
    print("\nDifference to the process that was never restarted, the middle one of all looks after the restart, and the last:\n")
    whats = list(compare(results["never restarted"][0], results["never restarted"][0]))
    print("| | " + " | ".join(whats) + " |\n" + "|---" * (len(whats) + 1) + "|")
    for kind, rows in differences(results, plan).items():
        cells = []
        for what in whats:
            middle = statistics.median(d[what] for _, d in rows)
            cells.append(f"{middle:+.2%}, {rows[-1][1][what]:+.2%}")
        print(f"| {kind} | " + " | ".join(cells) + " |")


def print_owners(results):
    owners = list(next(iter(results.values()))[-1]["owners"])
    print("\nkB at the end, by owner:\n\n| | " + " | ".join(owners) + " |\n" + "|---" * (len(owners) + 1) + "|")
    for kind, rows in results.items():
        print(f"| {kind} | " + " | ".join(f"{rows[-1]['owners'][o] / 1000:,.0f}" for o in owners) + " |")


def draw(plan, results):
    colours = ("#009e73", "#56b4e9", "#cc79a7", "#e69f00")
    picture = chart.Chart(f"Resident memory of {plan.series:,} series", "hours", "MB")
    for (kind, rows), colour in zip(results.items(), colours):
        chart.COLOURS[kind] = colour
        picture.lines[kind] = [(row["hour"], row["rss"] / 1e6) for row in rows]
    return chart.draw(picture)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--programs", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--series", type=int, default=20000)
    parser.add_argument("--hours", type=int, default=84)
    parser.add_argument("--restart-at", type=int, default=36)
    parser.add_argument("--step-ms", type=int, default=15000)
    parser.add_argument("--only", nargs="*", help="kinds, by name; \"never restarted\" is one of them")
    parser.add_argument("--results", type=pathlib.Path, help="all that was noted, as JSON")
    parser.add_argument("--image", type=pathlib.Path)
    args = parser.parse_args()
    servers.Hearth.binary = os.path.abspath(args.hearth)
    plan = Plan(args.series, args.hours, args.restart_at, args.step_ms)
    results = run(plan, args.programs, args.only)
    print_tables(plan, results)
    print_owners(results)
    if args.results:
        args.results.write_text(json.dumps(results, indent=1) + "\n")
    if args.image:
        args.image.write_text(draw(plan, results))


if __name__ == "__main__":
    main()
