#!/usr/bin/env python3
"""Run Hearth, Prometheus and VictoriaMetrics on the same bodies, one after the other, and print a table.

    run.py --hearth build/release/hearth --loadgen build/release/bench/loadgen [--scale 10000x120 ...]

Per scale: the bodies are encoded once, before any clock starts; each server gets the same bytes over
two connections. "create" is the first sample of every series, "steady" all others, one sample of a series
in a request, "backlog" some more, --backlog in a request; CPU is read when the server has settled.
Then queries, one connection, repeated for up to --query-seconds each; then three
restarts, each timed until a query sees the newest sample again, of which the middle one counts. A ratio is
peer / Hearth: above 1, Hearth is better.

With --keep FOLDER bodies and results stay there, so that a run can be done in portions (--only Hearth,
then --only Prometheus ...); the tables have all that were measured so far. --results FILE keeps the figures of
all scales, and --page writes them, with the aims beside, between the markers of a page:

    run.py --results bench/results.json --page docs/performance.md
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import compare
import queries
import servers
import tables
from figures import OURS, PEERS, Figures

STEP_MS = 15000
FULL_SAMPLES = 32 * 3600 * 1000 // STEP_MS  # what Hearth keeps of a series: more behind it would push out what is asked for
BACKLOG_SAMPLES = 1_500_000  # a phase of 20 ms would weigh the page faults of its beginning
BACKLOG_REQUESTS = 12
RESTARTS = 3


class Scale:
    def __init__(self, text, backlog):
        self.series, self.samples = (int(n) for n in text.split("x"))
        self.series -= self.series % 250
        self.backlog = backlog
        requests = BACKLOG_SAMPLES // (backlog * self.series)
        self.backlog_samples = backlog * max(1, min(requests, BACKLOG_REQUESTS if self.samples < FULL_SAMPLES else 4))
        self.name = f"{self.series:,} series x {self.samples:,} samples"

    @property
    def all_samples(self):
        return self.samples + self.backlog_samples


def encode(args, scale, folder):
    """Make the bodies, if they are not there yet; when their data starts."""
    start = folder / "start_ms"
    if start.exists():
        return int(start.read_text())
    start_ms = int(time.time() * 1000) - (scale.all_samples + 1) * STEP_MS - STEP_MS
    plan = [f"series={scale.series}", f"samples={scale.all_samples}", f"start={start_ms}", f"step={STEP_MS}"]
    for name, first, count, backlog in (("create", 0, 1, 1), ("steady", 1, scale.samples - 1, 1),
                                        ("backlog", scale.samples, scale.backlog_samples, scale.backlog)):
        subprocess.run([args.loadgen, "encode", folder / name, *plan, f"first={first}", f"count={count}",
                        f"backlog={backlog}"], check=True, stdout=subprocess.DEVNULL)
    start.write_text(str(start_ms))
    return start_ms


def send(args, server, file):
    out = subprocess.run([args.loadgen, "send", file, "127.0.0.1", str(server.port), server.write_path],
                         check=True, capture_output=True, text=True)
    sys.stderr.write(out.stderr)
    return json.loads(out.stdout)


def load(args, server, scale, bodies, row):
    """All samples but the last, in requests of one sample of a series; what they cost."""
    empty_cpu = server.settle()
    send(args, server, bodies / "create")
    created_cpu = server.settle()
    row["create: CPU us per series"] = (created_cpu - empty_cpu) * 1e6 / scale.series
    sent = send(args, server, bodies / "steady")
    steady = scale.series * (scale.samples - 1)
    row["steady: CPU s per million samples, at the last ack"] = (server.cpu_s() - created_cpu) * 1e6 / steady
    row["steady: CPU s per million samples, settled"] = (server.settle() - created_cpu) * 1e6 / steady
    row["samples per second"] = steady / sent["seconds"]
    row["request p50 ms"] = sent["p50_ms"]
    row["request p99 ms"] = sent["p99_ms"]
    row["request max ms"] = sent["max_ms"]
    return sent["refused"]


def weigh(args, server, scale, empty_rss, row):
    """What a server takes that has nothing to do."""
    time.sleep(args.quiet_seconds)
    rss = server.rss_bytes()
    row["RSS MB"] = rss / 1e6
    row["RSS growth, bytes per series"] = (rss - empty_rss) / scale.series
    row["RSS growth, bytes per sample"] = (rss - empty_rss) / scale.series / scale.samples
    row["disk bytes per sample"] = server.disk_bytes() / scale.series / scale.samples
    idle = server.cpu_s()
    time.sleep(args.idle_seconds)
    row["idle CPU ms per s"] = (server.cpu_s() - idle) * 1000 / args.idle_seconds


def load_backlog(args, server, scale, bodies, row):
    before = server.settle()
    sent = send(args, server, bodies / "backlog")
    row[f"{scale.backlog} samples per series and request: CPU s per million samples"] = \
        (server.settle() - before) * 1e6 / (scale.series * scale.backlog_samples)
    return sent["refused"]


def start_until_newest(server, scale, end):
    """Seconds until the newest sample is seen, and the CPU that took."""
    begin = time.monotonic()
    server.start()
    newest = dict(query='count({__name__=~".+"})', time=f"{end:.3f}", nocache="1")
    server.wait_for(lambda: server.query("query", **newest)["data"]["result"][0]["value"][1] == str(scale.series), 120)
    return time.monotonic() - begin, server.cpu_s()


def restart(args, server, scale, end, row):
    time.sleep(args.quiet_seconds)  # what queries took has been given back, or is kept
    row["RSS MB before the stop"] = server.rss_bytes() / 1e6
    row["stop s"] = server.stop()
    starts = []
    for again in range(RESTARTS):
        if again:
            server.stop()
        starts.append(start_until_newest(server, scale, end))
    row["restart: s to the newest sample"], row["restart: CPU s"] = (statistics.median(of) for of in zip(*starts))
    time.sleep(args.quiet_seconds)
    row["RSS MB after restart"] = server.rss_bytes() / 1e6
    server.stop()


def run_server(args, cls, scale, bodies, start_ms):
    """Rows of figures, and what each query took and answered."""
    server = cls(bodies / cls.name)
    server.start()
    server.settle()
    empty_rss = server.rss_bytes()
    row = {"empty RSS MB": empty_rss / 1e6}
    refused = load(args, server, scale, bodies, row)
    weigh(args, server, scale, empty_rss, row)
    refused += load_backlog(args, server, scale, bodies, row)
    row["requests refused"] = refused
    start, end = start_ms / 1000, (start_ms + scale.all_samples * STEP_MS) / 1000
    asked = queries.over(start + min(300, (end - start) / 2), end)
    found = {name: queries.measure(server, kind, parameters, args.query_seconds) for name, kind, parameters in asked}
    restart(args, server, scale, end, row)
    server.remove()
    return row, found


def entry(measured):
    """What is published of {server: (rows, found)}: no answers, but how far they are apart."""
    names = [name for name in (OURS, *PEERS) if name in measured]
    found = {name: measured[name][1] for name in names}
    asked = [q for q in found[names[0]] if all(q in found[n] for n in names)]

    def apart(query, peer):
        ours, theirs = found[names[0]][query], found[peer][query]
        return compare.difference(ours["result"], theirs["result"]) if "result" in ours and "result" in theirs else "-"

    return {"rows": {name: measured[name][0] for name in names},
            "queries": {q: {n: {k: v for k, v in found[n][q].items() if k != "result"} for n in names} for q in asked},
            "differences": {q: {n: apart(q, n) for n in names[1:]} for q in asked}}


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{os.cpu_count()} x {model}, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, Linux {platform.release()}"


def run_scale(args, classes, scale, folder):
    folder.mkdir(parents=True, exist_ok=True)
    start_ms = encode(args, scale, folder)
    results = folder / "results.json"
    measured = json.loads(results.read_text()) if results.exists() else {}
    for cls in classes:
        if args.only and cls.name not in args.only:
            continue
        print(f"{scale.name}: {cls.name} ...", file=sys.stderr, flush=True)
        shutil.rmtree(folder / cls.name, ignore_errors=True)  # of a run that was broken off
        measured[cls.name] = run_server(args, cls, scale, folder, start_ms)
        results.write_text(json.dumps(measured))
    return {"date": str(datetime.date.today()), "machine": machine(), **entry(measured)}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth", help="the server's binary; without it only the peers run")
    parser.add_argument("--loadgen", help="without it nothing is measured")
    parser.add_argument("--scale", nargs="*", default=["10000x120", "100000x40"], help="SERIESxSAMPLES")
    parser.add_argument("--backlog", type=int, default=12, help="samples of a series in one request, in the phase of that name")
    parser.add_argument("--query-seconds", type=float, default=1.0)
    parser.add_argument("--quiet-seconds", type=float, default=25.0,
                        help="before memory is read: Hearth seals what came late after 5, and gives back what is free 5 later")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="behind the quiet ones: what an idle server costs")
    parser.add_argument("--keep", metavar="FOLDER", help="of bodies and results, for runs in portions")
    parser.add_argument("--only", nargs="+", help="names of servers; with --keep")
    parser.add_argument("--results", metavar="FILE", help="keeps the figures of all scales")
    parser.add_argument("--page", metavar="FILE", help="whose tables are written anew from the results")
    return parser.parse_args()


def measure(args, figures):
    classes = servers.peers()
    if args.hearth:
        servers.Hearth.binary = os.path.abspath(args.hearth)
        classes.insert(0, servers.Hearth)
    print(f"Machine: {machine()}; load average {os.getloadavg()[0]:.2f} at the start.")
    for text in args.scale:
        with tempfile.TemporaryDirectory(prefix="hearth-bench-") as temporary:
            scale = Scale(text, args.backlog)
            figures.put(text, run_scale(args, classes, scale, pathlib.Path(args.keep or temporary) / text))
        print(f"\n## {scale.name}\n\n{tables.scale(figures.scales[text])}")


def main():
    args = options()
    figures = Figures(args.results)
    if args.loadgen:
        measure(args, figures)
    if args.page:
        tables.write(figures, args.page)


if __name__ == "__main__":
    main()
