"""Line charts as SVG, without a library; light or dark as the reader's system is."""
import math
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 890, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 260, 50, 60
COLOURS = {
    "glibc": "#888888", "jemalloc": "#e69f00", "jemalloc, background thread": "#b8860b",
    "mimalloc": "#56b4e9", "tcmalloc": "#cc79a7", "hearth": "#009e73",
    "hearth, MADV_FREE": "#66c2a5", "hearth with regions": "#009e73",
    "hearth, as a malloc": "#66c2a5", "live bytes": "#d55e00",
}
DASHED = {"hearth, MADV_FREE", "hearth, as a malloc", "jemalloc, background thread", "live bytes"}
STYLE = """
svg { font: 13px system-ui, sans-serif; color-scheme: light dark }
text { fill: #333 } .title { font-size: 16px; font-weight: 600 } .grid { stroke: #8886 }
.axis { stroke: #888 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""


@dataclass
class Chart:
    title: str
    x_label: str
    y_label: str
    lines: dict = field(default_factory=dict)  # name -> [(x, y)]
    ticks: dict = field(default_factory=dict)  # x -> text; empty: round numbers


def nice_step(span, parts):
    """1, 2 or 5 times a power of ten, for about so many parts."""
    raw = span / parts
    power = 10 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw)


def steps(top, parts):
    step = nice_step(top, parts)
    return [i * step for i in range(int(math.ceil(top / step - 1e-9)) + 1)]


def draw(chart):
    points = [p for line in chart.lines.values() for p in line]
    x_min, x_max = min(x for x, _ in points), max(x for x, _ in points)
    y_ticks = steps(max(y for _, y in points) or 1, 5)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x_of(x):
        return LEFT + (x - x_min) / (x_max - x_min) * (right - LEFT)

    def y_of(y):
        return bottom - y / y_ticks[-1] * (bottom - TOP)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
           f"<title>{escape(chart.title)}</title><style>{STYLE}</style>",
           f'<text class="title" x="{LEFT}" y="24">{escape(chart.title)}</text>']
    for y in y_ticks:
        out.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y_of(y):.1f}" '
                   f'y2="{y_of(y):.1f}"/><text x="{LEFT - 8}" y="{y_of(y) + 4:.1f}" '
                   f'text-anchor="end">{y:g}</text>')
    ticks = chart.ticks or {x: f"{x:g}" for x in steps(x_max, 8) if x_min <= x <= x_max}
    for x, text in ticks.items():
        out.append(f'<text x="{x_of(x):.1f}" y="{bottom + 20}" text-anchor="middle">'
                   f"{escape(text)}</text>")
    out.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    out.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
               f"{escape(chart.x_label)}</text>")
    out.append(f'<text transform="translate(18 {(TOP + bottom) / 2}) rotate(-90)" '
               f'text-anchor="middle">{escape(chart.y_label)}</text>')
    for row, (name, line) in enumerate(chart.lines.items()):
        colour = COLOURS.get(name, "#888888")
        width = 3 if name.startswith("hearth") else 2
        dash = ' stroke-dasharray="6 4"' if name in DASHED else ""
        stroke = f'fill="none" stroke="{colour}" stroke-width="{width}"{dash}'
        at = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        legend = TOP + 10 + 22 * row
        out.append(f'<polyline {stroke} points="{at}"/>')
        out.append(f'<line {stroke} x1="{right + 18}" x2="{right + 44}" y1="{legend}" '
                   f'y2="{legend}"/><text x="{right + 52}" y="{legend + 4}">{escape(name)}</text>')
    out.append("</svg>\n")
    return "\n".join(out)


def restart(results, key, title, y_label):
    chart = Chart(title, "hours since the restart", y_label)
    for name in results.allocators("restart", "random"):
        line = [(r["hours"], r[key])
                for r in results.lines("restart", "random", name, "boundary")]
        if key != "frag" or name != "mimalloc":  # which has no such figures
            chart.lines["hearth, as a malloc" if name == "hearth" else name] = line
    return chart


def spike(results):
    chart = Chart("256 MB of 1 KB objects, ten times; then nothing", "seconds of idling",
                  "resident MB")
    for name in results.allocators("spike", "1 KB objects"):
        chart.lines[name] = [(r["s"], r["mb"])
                             for r in results.lines("spike", "1 KB objects", name, "idle")]
    return chart


def zigzag(turns, high, low):
    return [p for r in turns for p in ((r["number"] - 0.5, r[high]), (r["number"], r[low]))]


def cycle(results, variant):
    """Highs and lows of the turns, and the two waits as long as a turn each."""
    chart = Chart(f"cycle: {variant}", "turns; then idle at the low point; then all is freed",
                  "resident MB")
    for name, lines in results.allocators("cycle", variant).items():
        turns = [r for r in lines if r["what"] == "turn"]
        last = turns[-1]["number"]
        line = zigzag(turns, "high", "low")
        for i, what in enumerate(("low", "freed")):
            waited = [r for r in lines if r["what"] == what]
            seconds = max(r["s"] for r in waited)
            line += [(last + i + r["s"] / seconds, r["mb"]) for r in waited]
        chart.lines[name] = line
        live = turns[-1]["live_low"]
        chart.ticks = {r["number"]: f"{r['number']:g}" for r in turns}
        chart.ticks |= {last + 1: f"+{seconds:g} s", last + 2: f"+{seconds:g} s"}
        chart.lines["live bytes"] = zigzag(turns, "live_high", "live_low") + \
            [(last + 1, live), (last + 1, 0), (last + 2, 0)]
    return chart


def charts(results):
    """{name: SVG} of what was measured."""
    out = {}
    if results.allocators("restart", "random"):
        out["restart"] = restart(results, "frag", "After a restart in random order: holes in the "
                                 "heap", "(inuse - alloc) / inuse, %")
        out["restart-rss"] = restart(results, "rss_per_payload", "After a restart in random order: "
                                     "resident memory", "resident bytes per payload byte")
    if results.allocators("spike", "1 KB objects"):
        out["spike"] = spike(results)
    for variant, name in (("16 B to 1 MB, random frees", "cycle"),
                          ("chunk sizes, random frees", "cycle-chunks")):
        if results.allocators("cycle", variant):
            out[name] = cycle(results, variant)
    return {name: draw(chart) for name, chart in out.items()}
