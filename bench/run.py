#!/usr/bin/env python3
"""Run Hearth, Prometheus and VictoriaMetrics on the same bodies, one after the other, and print a table.

    run.py --hearth build/release/hearth --loadgen build/release/bench/loadgen [--scale 10000x120 ...]

Per scale: the bodies are encoded once, before any clock starts; each server gets the same bytes over
two connections. "create" is the first sample of every series, "steady" all others, one sample of a series
in a request, "backlog" some more, --backlog in a request; CPU is read when the server has settled.
Then queries, one connection, repeated for up to --query-seconds each; then a
restart, timed until a query sees the newest sample again. A ratio is peer / Hearth: above 1, Hearth
is better.

With --keep FOLDER bodies and results stay there, so that a run can be done in portions (--only Hearth,
then --only Prometheus ...); the tables have all that were measured so far.
"""
import argparse
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import servers

STEP_MS = 15000


def queries(start, end):
    """Name, kind and parameters; the range is the data's, in seconds."""
    whole = max(60, int(end - start))
    span = dict(start=f"{start:.3f}", end=f"{end:.3f}", step="60s", nocache="1")
    one = 'node_load{instance="node-00001.example.internal:9100",window="window-0"}'
    counter = 'node_cpu_seconds_total{instance="node-00001.example.internal:9100",cpu="cpu-0",mode="user"}'
    at = dict(time=f"{end:.3f}", nocache="1")
    return [
        ("instant: one series", "query", dict(at, query=one)),
        ("instant: rate of one series", "query", dict(at, query=f"rate({counter}[5m])")),
        ("range: one series raw", "query_range", dict(span, query=one, step="15s")),
        ("range: rate of one series", "query_range", dict(span, query=f"rate({counter}[5m])")),
        ("range: one host, sum by(mode)(rate)", "query_range",
         dict(span, query='sum by(mode)(rate(node_cpu_seconds_total{instance="node-00001.example.internal:9100"}[5m]))')),
        ("range: all hosts, sum by(mode)(rate)", "query_range",
         dict(span, query="sum by(mode)(rate(node_cpu_seconds_total[5m]))")),
        ("range: histogram_quantile by job", "query_range",
         dict(span, query="histogram_quantile(0.9, sum by(le, job)(rate(http_request_duration_seconds_bucket[5m])))")),
        ("range: topk(5, sum by(pod))", "query_range",
         dict(span, query="topk(5, sum by(pod)(container_memory_working_set_bytes))")),
        ("instant: vector matching", "query",
         dict(at, query="http_request_duration_seconds_sum / http_request_duration_seconds_count")),
        ("instant: regex matchers", "query",
         dict(at, query='sum(node_load{instance=~"node-0000[0-9].*",window!~"window-1.*"})')),
        ("instant: count of everything", "query", dict(at, query='count({__name__=~".+"})')),
        ("instant: max_over_time, whole range", "query",
         dict(at, query=f"max(max_over_time(node_load[{whole}s]))")),
        ("labels", "labels", dict(start=f"{start:.0f}", end=f"{end:.0f}")),
        ("label values: instance", "label/instance/values", dict(start=f"{start:.0f}", end=f"{end:.0f}")),
        ("series: one host", "series",
         {"match[]": '{instance="node-00001.example.internal:9100"}', "start": f"{start:.0f}", "end": f"{end:.0f}"}),
    ]


def measure_query(server, kind, parameters, seconds):
    """CPU ms and wall ms (median) of one query, after two warm-ups."""
    path = server.query_path(kind, **parameters)
    for _ in range(2):
        code, body = server.get(path)
        if code != 200:
            return dict(error=f"{code} {body[:200]!r}")
    walls = []
    cpu = server.cpu_s()
    begin = time.monotonic()
    while time.monotonic() - begin < seconds and len(walls) < 2000:
        start = time.monotonic()
        server.get(path)
        walls.append((time.monotonic() - start) * 1000)
    cpu = (server.cpu_s() - cpu) * 1000 / len(walls)
    return dict(cpu_ms=cpu, p50_ms=statistics.median(walls), result=json.loads(body)["data"])


def values_of(result):
    """A result as {labels: [(t, v)...]}, to compare servers."""
    if isinstance(result, list):
        return {json.dumps(x, sort_keys=True): None for x in result}
    rows = {}
    for row in result.get("result", []):
        points = row.get("values") or [row["value"]]
        rows[json.dumps(row["metric"], sort_keys=True)] = [(float(t), float(v)) for t, v in points]
    return rows


def difference(ours, theirs):
    """How far two results are apart: '=' or what differs."""
    a, b = values_of(ours), values_of(theirs)
    if a.keys() != b.keys():
        return f"{len(a.keys() ^ b.keys())} series differ"
    worst = 0.0
    for key, points in a.items():
        if points is None:
            continue
        if [t for t, _ in points] != [t for t, _ in b[key]]:
            return "steps differ"
        for (_, x), (_, y) in zip(points, b[key]):
            if x != y and not (math.isnan(x) and math.isnan(y)):
                worst = max(worst, abs(x - y) / max(abs(x), abs(y)))
    return "=" if worst < 1e-12 else f"{worst:.1g}"


class Scale:
    def __init__(self, text, backlog):
        self.series, self.samples = (int(n) for n in text.split("x"))
        self.series -= self.series % 250
        self.backlog = backlog
        self.backlog_samples = backlog * max(1, min(4, 1_000_000 // (backlog * self.series)))
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


def run_server(args, cls, scale, bodies, start_ms, folder):
    server = cls(folder / cls.name)
    row = {}
    server.start()
    empty_cpu = server.settle()
    row["empty RSS MB"] = server.rss_bytes() / 1e6
    empty_rss = server.rss_bytes()
    send(args, server, bodies / "create")
    created_cpu = server.settle()
    row["create: CPU us per series"] = (created_cpu - empty_cpu) * 1e6 / scale.series
    sent = send(args, server, bodies / "steady")
    row["steady: CPU s per million samples, at the last ack"] = \
        (server.cpu_s() - created_cpu) * 1e6 / (scale.series * (scale.samples - 1))
    settled = server.settle()
    row["steady: CPU s per million samples, settled"] = \
        (settled - created_cpu) * 1e6 / (scale.series * (scale.samples - 1))
    row["samples per second"] = scale.series * (scale.samples - 1) / sent["seconds"]
    row["request p50 ms"] = sent["p50_ms"]
    row["request p99 ms"] = sent["p99_ms"]
    row["request max ms"] = sent["max_ms"]
    time.sleep(args.quiet_seconds)
    rss = server.rss_bytes()
    row["RSS MB"] = rss / 1e6
    row["RSS growth, bytes per series"] = (rss - empty_rss) / scale.series
    row["RSS growth, bytes per sample"] = (rss - empty_rss) / scale.series / scale.samples
    row["disk bytes per sample"] = server.disk_bytes() / scale.series / scale.samples
    idle = server.cpu_s()
    time.sleep(args.idle_seconds)
    row["idle CPU ms per s"] = (server.cpu_s() - idle) * 1000 / args.idle_seconds
    before = server.settle()
    sent_late = send(args, server, bodies / "backlog")
    row[f"{scale.backlog} samples per series and request: CPU s per million samples"] = \
        (server.settle() - before) * 1e6 / (scale.series * scale.backlog_samples)
    row["requests refused"] = sent["refused"] + sent_late["refused"]
    start = start_ms / 1000
    end = start + scale.all_samples * STEP_MS / 1000
    found = {}
    for name, kind, parameters in queries(start + min(300, (end - start) / 2), end):
        found[name] = measure_query(server, kind, parameters, args.query_seconds)
    row["stop s"] = server.stop()
    begin = time.monotonic()
    server.start()
    total = scale.series
    newest = dict(query='count({__name__=~".+"})', time=f"{end:.3f}", nocache="1")
    server.wait_for(lambda: server.query("query", **newest)["data"]["result"][0]["value"][1] == str(total), 120)
    row["restart: s to the newest sample"] = time.monotonic() - begin
    row["restart: CPU s"] = server.cpu_s()
    time.sleep(args.quiet_seconds)  # what the query above took has been given back, or is kept
    row["RSS MB after restart"] = server.rss_bytes() / 1e6
    server.stop()
    server.remove()
    return row, found


def number(v):
    if v == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(v))))
    return f"{v:,.{min(digits, 4)}f}"


def ratio(theirs, ours):
    return number(theirs / ours) + "x" if ours > 0 else "-"


def print_tables(scale, rows, found, out):
    names = list(rows)
    ours, others = names[0], names[1:]
    head = ["", ours, *others, *[f"{o} / {ours}" for o in others]]
    out(f"\n## {scale.name}\n")
    out("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for key in rows[ours]:
        cells = [number(rows[n][key]) for n in names]
        cells += [ratio(rows[o][key], rows[ours][key]) for o in others]
        out(f"| {key} | " + " | ".join(cells) + " |")
    head = ["query: CPU ms", ours, *others, *[f"{o} / {ours}" for o in others],
            *[f"p50 ms {n}" for n in names], *[f"result {o}" for o in others]]
    out("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for query, ours_found in found[ours].items():
        all_found = [found[n][query] for n in names]
        if any("error" in f for f in all_found):
            out(f"| {query} | " + " | ".join(f.get("error", "ok") for f in all_found) + " |")
            continue
        cells = [number(f["cpu_ms"]) for f in all_found]
        cells += [ratio(found[o][query]["cpu_ms"], ours_found["cpu_ms"]) for o in others]
        cells += [number(f["p50_ms"]) for f in all_found]
        cells += [difference(ours_found["result"], found[o][query]["result"]) for o in others]
        out(f"| {query} | " + " | ".join(cells) + " |")


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
        measured[cls.name] = run_server(args, cls, scale, folder, start_ms, folder)
        results.write_text(json.dumps(measured))
    rows = {cls.name: measured[cls.name][0] for cls in classes if cls.name in measured}
    if rows:
        print_tables(scale, rows, {name: measured[name][1] for name in rows}, print)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hearth", help="the server's binary; without it only the peers run")
    parser.add_argument("--loadgen", required=True)
    parser.add_argument("--scale", nargs="*", default=["10000x120", "100000x40"], help="SERIESxSAMPLES")
    parser.add_argument("--backlog", type=int, default=12, help="samples of a series in one request, in the phase of that name")
    parser.add_argument("--query-seconds", type=float, default=1.0)
    parser.add_argument("--quiet-seconds", type=float, default=25.0,
                        help="before memory is read: Hearth seals what came late after 5, and gives back what is free 5 later")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="behind the quiet ones: what an idle server costs")
    parser.add_argument("--keep", metavar="FOLDER", help="of bodies and results, for runs in portions")
    parser.add_argument("--only", nargs="+", help="names of servers; with --keep")
    args = parser.parse_args()
    classes = servers.peers()
    if args.hearth:
        servers.Hearth.binary = os.path.abspath(args.hearth)
        classes.insert(0, servers.Hearth)
    print(f"Machine: {machine()}; load average {os.getloadavg()[0]:.2f} at the start.")
    for text in args.scale:
        with tempfile.TemporaryDirectory(prefix="hearth-bench-") as temporary:
            run_scale(args, classes, Scale(text, args.backlog), pathlib.Path(args.keep or temporary) / text)


if __name__ == "__main__":
    main()
