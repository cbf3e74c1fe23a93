"""Tables and charts of the results, printed or written between the markers of a page:

    <!-- measured: NAME -->  ...  <!-- end -->

What stands outside of them is written by hand.
"""
import pathlib
import re

import chart
import goals

SPEED_COLUMNS = [("pair", s) for s in (16, 128, 1408, 4096, 32768, 65536, 1 << 20)] + \
                [("batch", s) for s in (16, 128, 512, 1408, 4096, 65536, 1 << 20)] + \
                [("fifo", 512), ("growth", 2048)]
COLUMNS = {
    "list": {"node_bytes": "resident bytes per node", "alloc_ns": "ns per allocation",
             "free_ns": "ns per free", "freed_mb": "MB when freed", "later_mb": "MB 10 s later"},
    "bigheap": {"p50_ns": "p50 ns", "p99_ns": "p99", "p999_ns": "p99.9", "p9999_ns": "p99.99",
                "max_us": "worst, us", "allocs_m_s": "million allocations/s",
                "built_mb": "MB when built", "end_mb": "MB at the end",
                "growth_percent": "growth %"},
    "spike": {"peak_mb": "peak MB", "back_s": "seconds until it is back",
              "idle_mb": "MB at the end", "lazy_mb": "of it lazily free",
              "cpu_percent": "CPU of its threads, % of a core"},
    "cycle": {"high": "high MB", "live": "live MB", "low": "at the low point",
              "low_later": "10 s later", "end": "10 s after the last free",
              "purged": "at a low point, when asked"},
    "cost": {"append_ns": "ns per append", "growth_copies": "growth copies",
             "seal_ns": "ns per chunk sealed", "seal_fresh_ns": "into fresh memory",
             "seal_slice_us": "longest slice, us", "seal_slice_cpu_us": "the same, CPU",
             "seal_fresh_slice_us": "into fresh memory, us",
             "seal_fresh_slice_cpu_us": "the same, CPU",
             "still_us": "longest of as many slices of arithmetic, us",
             "still_cpu_us": "the same, CPU", "expiry_ns": "ns per chunk expired",
             "expiry_longest_us": "longest expiry, us", "expiry_longest_cpu_us": "the same, CPU",
             "restore_ns": "ns per chunk restored"},
}


def table(title, head, rows):
    lines = [f"### {title}", ""] if title else []
    lines.append("| " + " | ".join(head) + " |")
    lines.append("|---" * len(head) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value, key=""):
    if value is None:
        return "-"
    if key == "back_s" and value < 0:
        return "never"
    value = round(value, 2) or 0.0  # no -0
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"


def variants(results, experiment):
    return list(dict.fromkeys(r["variant"] for r in results.runs if r["experiment"] == experiment))


def last_lines(results, experiment):
    """One table per variant, of the last line of each run."""
    out = []
    columns = COLUMNS[experiment]
    for variant in variants(results, experiment):
        rows = [[name] + [number(lines[-1].get(key), key) for key in columns]
                for name, lines in results.allocators(experiment, variant).items()]
        title = f"{experiment}: {variant}" if variant else experiment
        out.append(table(title, ["allocator", *columns.values()], rows))
    return "\n".join(out)


def speed(results):
    out = []
    for variant in variants(results, "speed"):
        rows = []
        for name, lines in results.allocators("speed", variant).items():
            ns = {(line["what"], line["size"]): line["ns"] for line in lines}
            rows.append([name] + [number(ns.get(column)) for column in SPEED_COLUMNS])
        head = ["allocator"] + [f"{shape} {size}" for shape, size in SPEED_COLUMNS]
        out.append(table(f"speed, {variant}: ns of CPU per pair", head, rows))
    return "\n".join(out)


def restart_rows(results):
    for variant in variants(results, "restart"):
        for name, lines in results.allocators("restart", variant).items():
            yield name, variant, lines


def worst(lines, what, key):
    return max(line[key] for line in lines if line["what"] == what)


def restart(results):
    fragmentation, costs, hours = [], [], []
    for name, variant, lines in restart_rows(results):
        before = [line for line in lines if line["what"] == "boundary"]
        hours = [f"{line['hours']:.0f} h" for line in before]
        no_books = name == "mimalloc"  # it says nothing
        cells = ["-" if no_books else f"{line['frag']:.2f}" for line in before]
        most = max(worst(lines, what, "frag") for what in ("boundary", "expiry"))
        fragmentation.append([f"{name}, {variant}", *cells, "-" if no_books else f"{most:.2f}",
                              f"{worst(lines, 'boundary', 'rss_per_payload'):.3f}",
                              f"{worst(lines, 'expiry', 'rss_per_payload'):.3f}"])
        costs.append([f"{name}, {variant}"] + [number(lines[-1].get(k)) for k in COLUMNS["cost"]])
    return "\n".join([
        table("restart: (inuse - alloc)/inuse in % before each boundary, by hours since the restart",
              ["allocator", *hours, "worst reading", "RSS/payload, worst before a boundary",
               "and behind an expiry"], fragmentation),
        table("restart: what it costs", ["allocator", *COLUMNS["cost"].values()], costs)])


def goal_table(results):
    return table("", ["goal", "bound", "bound at this machine's speed", "reached", "met",
                      "best of the others here"], goals.rows(results))


def about(results):
    a = results.about
    return (f"Measured on {a.get('date')}: {a.get('cpus')} x {a.get('cpu')}, "
            f"Linux {a.get('linux')}, scale `{a.get('scale')}`.\n")


SECTIONS = {
    "about": about, "goals": goal_table, "restart": restart, "speed": speed,
    **{name: lambda results, name=name: last_lines(results, name)
       for name in ("cycle", "spike", "list", "bigheap")},
}


def tables(results):
    return "\n".join(section(results) for section in SECTIONS.values())


def write(results, path):
    path = pathlib.Path(path)
    images = path.parent / "images"
    images.mkdir(exist_ok=True)
    for name, svg in chart.charts(results).items():
        (images / f"alloc-{name}.svg").write_text(svg)
    path.write_text(re.sub(
        r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)",
        lambda m: m[1] + "\n" + SECTIONS[m[2]](results) + "\n" + m[3], path.read_text(),
        flags=re.DOTALL))
