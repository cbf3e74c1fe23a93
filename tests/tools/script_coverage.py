"""script_coverage.py ROOT: do our own scripts ask for every function, operator and modifier?

Functions are those of the table in promql/functions.c, aggregations and operators those of
promql/ast.c; looked at are the lines of tests/data/promql that evaluate something.
"""
import re
import sys
from pathlib import Path

MODIFIERS = (
    r"by ?\(", r"without ?\(", r"on ?\(", r"ignoring ?\(", r"group_left", r"group_right", r"bool",
    r"fill ?\(", r"fill_left ?\(", r"fill_right ?\(", r"offset \w", r"offset -", r"@ ?\d",
    r"@ ?start\(", r"@ ?end\(", r"\[[^]:]+\]", r"\[[^]:]+:\]", r"\[[^]:]+:[^]]+\]", r"anchored",
    r"smoothed",
)  # fmt: skip


def table(root, file, name, row):
    rows = re.search(name + r"\[\] = \{(.*?)\n\};", (root / file).read_text(), re.S).group(1)
    return [text for text in re.findall(row, rows) if text]


def missing(root):
    scripts = sorted((root / "tests/data/promql").rglob("*.test"))
    asked = "\n".join(re.findall(r"^eval.*$", "\n".join(p.read_text() for p in scripts), re.M))
    functions = table(root, "promql/functions.c", "rows", r'\{ "(\w+)"')
    aggregations = table(root, "promql/ast.c", "aggregation_texts", r'= "(\w+)"')
    operators = table(root, "promql/ast.c", "op_texts", r'= "([^"]*)"')
    assert len(functions) > 80 and len(aggregations) > 12 and len(operators) > 15
    wanted = {name: rf"\b{name} ?\(" for name in functions}
    wanted |= {name: rf"\b{name}\b ?(\(|by|without)" for name in aggregations}
    wanted |= {op: rf"(?<![=!<>/]){re.escape(op)}(?![=/])" for op in operators}
    wanted |= {modifier: modifier for modifier in MODIFIERS}
    return [what for what, pattern in wanted.items() if not re.search(pattern, asked, re.I)]


if __name__ == "__main__":
    left = missing(Path(sys.argv[1]))
    if left:
        sys.exit(f"no script of tests/data/promql asks for: {' '.join(left)}")
