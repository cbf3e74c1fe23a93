#!/usr/bin/env python3
"""Does a restart leave a scar? The same hours of samples for processes that are restarted, once or every
hour, by SIGTERM or kill -9, and for one that never is; their memory beside each other.

    scar.py --hearth build/release/hearth --programs build/release/bench/hours
        [--series 20000] [--hours 84] [--restart-at 36] [--step-ms 15000] [--image FILE]

The samples are those of sender.c, sent as fast as the server takes them, with its clock turned. A minute after the
end of each window, and after each start, the clock and the samples stand still until what has closed is sealed and
its cells are given back, as they would be by then: hours are seconds here, and seals are not.
Free memory is given back (POST /debug/heap/release), which the scavenger would do with time, and then heap in
use, live objects, resident memory and spans by size class are noted: of a few looks the one at the least resident
memory, since a snapshot may be under way. Buffers of snapshots and the log, which grow as it comes, are told by
their owner, and left out where heap in use is compared; of resident memory nothing is left out.
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
WINDOW_S = WINDOW_MS // 1000
SEALS_S, AFTER_HOURS = 60, 0.25  # behind the end of a window: it is sealed, it is looked at
LOOKS, LOOK_SECONDS = 3, 0.15


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


def is_settled(heap, now_s):
    """All windows that closed are sealed, the expired one is gone, and there are no cells but those of open chunks."""
    rows = heap["regions"]
    closed = [r for r in rows if r["windowStart"] < now_s // WINDOW_S * WINDOW_S]
    cells = sum(c["objects"] * c["objectBytes"] for c in heap["classes"] if "cells" in c)
    return (len(closed) < WINDOWS and all(r["openBytes"] == 0 for r in closed)
            and cells == sum(r["openBytes"] for r in rows))


def settle(server, clock):
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while not is_settled(heap_of(server), clock.now_s()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not sealed within {SETTLE_SECONDS_MAX} s")
        time.sleep(0.05)


def look_once(server, hour):
    server.connection.request("POST", "/debug/heap/release")
    assert server.connection.getresponse().read()
    heap = heap_of(server)
    stats = heap["memStats"]
    return {
        "hour": hour, "rss": server.rss_bytes(), "heap_inuse": stats["HeapInuse"],
        "heap_alloc": stats["HeapAlloc"], "series": server.metrics()["prometheus_tsdb_head_series"],
        "samples": server.metrics()["hearth_samples"],
        "owners": {o["owner"]: o["bytes"] for o in heap["owners"]},
        "spans": {("cells" if "cells" in c else c["objectBytes"]): (c["objects"] + c["freeSlots"]) * c["objectBytes"]
                  for c in heap["classes"] if c["spans"] and c["objectBytes"]},
    }


def look(server, hour):
    rows = []
    for _ in range(LOOKS):
        rows.append(look_once(server, hour))
        time.sleep(LOOK_SECONDS)
    return min(rows, key=lambda row: row["rss"])


def life(plan, programs, folder, restarts, how):
    """The rows of one process, or of a row of them."""
    start_ms = int(time.time() * 1000) // WINDOW_MS * WINDOW_MS
    clock = Clock(folder / "clock", start_ms)
    # Snapshots often: what they keep at hand is then the same in all.
    flags = ["--web.enable-admin-api", "--snapshot.interval=2s"]
    server = TurnedHearth(folder / "hearth", programs, clock, flags)
    server.start()
    rows, sent = [], 0

    def send_to(hour):
        nonlocal sent
        subprocess.run(
            [programs / "sender", clock.path, "127.0.0.1", str(server.port), server.write_path,
             f"series={plan.series}", f"hours={hour}", f"start={start_ms}", f"churn={plan.churn}",
             f"step={plan.step_ms}", f"first={int(sent * HOUR_MS) // plan.step_ms}"],
            stdout=subprocess.DEVNULL, check=True)
        sent = hour

    for hour in range(1, plan.hours + 1):
        window_ends = hour % WINDOW_HOURS == 0
        if not window_ends and hour not in restarts:
            continue
        if window_ends:
            send_to(hour)
            clock.turn_by(SEALS_S)
            settle(server, clock)
        send_to(hour + AFTER_HOURS)
        if window_ends:
            settle(server, clock)
            rows.append(look(server, hour))
        if hour in restarts:
            server.stop(how)
            server.start()
            settle(server, clock)
    server.stop()
    return rows


WHATS = ("rss", "heap in use", "in use and not allocated", "spans of classes that have more")


def held(row):
    return {
        "rss": row["rss"],
        "heap in use": row["heap_inuse"] - row["owners"]["snapshot"],
        "in use and not allocated": row["heap_inuse"] - row["heap_alloc"],
    }


def more(row, control):
    """Bytes that it has and the process that was never restarted has not, and spans of each class."""
    before = held(control)
    out = {what: bytes - before[what] for what, bytes in held(row).items()}
    spans = {size: bytes - control["spans"].get(size, 0) for size, bytes in row["spans"].items()}
    out["spans of classes that have more"] = sum(max(0, bytes) for bytes in spans.values())
    return out | {f"spans of class {size}": bytes for size, bytes in spans.items()}


def compare(row, control):
    """The same as fractions: of resident memory, and of its heap in use."""
    base = held(control)
    return {what: bytes / base["rss" if what == "rss" else "heap in use"] for what, bytes in more(row, control).items()}


def run(plan, programs, only=None):
    """{kind: rows}"""
    out = {}
    for kind, (restarts, how) in kinds(plan).items():
        if only and kind not in only:
            continue
        with tempfile.TemporaryDirectory(prefix="hearth-scar-") as folder:
            out[kind] = life(plan, programs, pathlib.Path(folder), restarts, how)
    return out


def differences(results, plan, how=compare):
    """{kind: [(hour, how(row, control))]} of those that were restarted, from then on."""
    control = {row["hour"]: row for row in results["never restarted"]}
    return {
        kind: [(row["hour"], how(row, control[row["hour"]])) for row in rows if row["hour"] > plan.restart_at]
        for kind, rows in results.items() if kind != "never restarted"
    }


def print_tables(plan, results):
    print("| | RSS at the end, MB | heap in use | in use and not allocated | class spans |\n|---|---|---|---|---|")
    for kind, rows in results.items():
        last = rows[-1]
        print(f"| {kind} | {last['rss'] / 1e6:.1f} | {last['heap_inuse'] / 1e6:.1f} | "
              f"{(last['heap_inuse'] - last['heap_alloc']) / 1e6:.2f} | {sum(last['spans'].values()) / 1e6:.1f} |")
    print("\nDifference to the process that was never restarted, the middle one of all looks after the restart, and the last:\n")
    print("| | " + " | ".join(WHATS) + " |\n" + "|---" * (len(WHATS) + 1) + "|")
    for kind, rows in differences(results, plan).items():
        cells = []
        for what in WHATS:
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
