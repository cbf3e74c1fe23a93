"""Tables of what was measured, printed or written between the markers of a page:

    <!-- measured: NAME -->  ...  <!-- end -->

NAME is "aims" or a scale. What stands outside of them is written by hand.
"""
import math
import pathlib
import re

import aims
from figures import OURS, PEERS


def number(v):
    if v == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(v))))
    return f"{v:,.{min(digits, 4)}f}"


def ratio(theirs, ours):
    return number(theirs / ours) + "x" if ours > 0 else "-"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def servers_of(entry):
    """Those that were measured; ratios are to the first."""
    names = [name for name in (OURS, *PEERS) if name in entry["rows"]]
    return names, names[1:]


def row_table(entry):
    names, others = servers_of(entry)
    first = entry["rows"][names[0]]
    rows = [[what, *[number(entry["rows"][n][what]) for n in names],
             *[ratio(entry["rows"][o][what], first[what]) for o in others]] for what in first]
    return table(["", *names, *[f"{o} / {names[0]}" for o in others]], rows)


def query_row(query, found, differences, names, others):
    errors = [found[n].get("error") for n in names]
    if any(errors):
        return [query, *[e or "ok" for e in errors]]
    return [query, *[number(found[n]["cpu_ms"]) for n in names],
            *[ratio(found[o]["cpu_ms"], found[names[0]]["cpu_ms"]) for o in others],
            *[number(found[n]["p50_ms"]) for n in names], *[differences[o] for o in others]]


def query_table(entry):
    names, others = servers_of(entry)
    head = ["query: CPU ms", *names, *[f"{o} / {names[0]}" for o in others],
            *[f"p50 ms {n}" for n in names], *[f"result {o}" for o in others]]
    return table(head, [query_row(query, found, entry["differences"][query], names, others)
                        for query, found in entry["queries"].items()])


def scale(entry):
    about = f"Measured on {entry['date']}: {entry['machine']}."
    return "\n".join([about + "\n", row_table(entry), query_table(entry)])


def aim_table(figures):
    return table(aims.HEAD, aims.rows(figures, number))


def section(figures, name):
    return aim_table(figures) if name == "aims" else scale(figures.scales[name])


def write(figures, path):
    path = pathlib.Path(path)
    path.write_text(re.sub(
        r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}\n{section(figures, m[2])}\n{m[3]}", path.read_text(), flags=re.DOTALL))
