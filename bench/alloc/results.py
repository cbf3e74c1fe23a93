"""What the programs printed: runs of an experiment, by variant and allocator, kept as JSON.

A program prints lines of "what key value key value ..."; a run is its lines as dictionaries.
"""
import json
import pathlib


def parse(output):
    lines = []
    for line in output.splitlines():
        what, *words = line.split()
        lines.append({"what": what, **{k: float(v) for k, v in zip(words[0::2], words[1::2])}})
    return lines


class Results:
    def __init__(self, path=None):
        self.path = pathlib.Path(path) if path else None
        self.about = {}
        self.runs = []  # {"experiment", "variant", "allocator", "lines"}
        if self.path and self.path.exists():
            saved = json.loads(self.path.read_text())
            self.about, self.runs = saved["about"], saved["runs"]

    def put(self, experiment, variant, allocator, lines):
        key = {"experiment": experiment, "variant": variant, "allocator": allocator}
        self.runs = [r for r in self.runs if {k: r[k] for k in key} != key]
        self.runs.append({**key, "lines": lines})
        if self.path:
            runs = ",\n".join(json.dumps(run) for run in self.runs)
            self.path.write_text(f'{{"about": {json.dumps(self.about)}, "runs": [\n{runs}\n]}}\n')

    def allocators(self, experiment, variant):
        """{allocator: lines}, in the order of measuring."""
        return {
            r["allocator"]: r["lines"]
            for r in self.runs
            if (r["experiment"], r["variant"]) == (experiment, variant)
        }

    def lines(self, experiment, variant, allocator, what):
        run = self.allocators(experiment, variant).get(allocator, [])
        return [line for line in run if line["what"] == what]

    def value(self, experiment, variant, allocator, what, key):
        """Of the last such line; None when there is none."""
        found = self.lines(experiment, variant, allocator, what)
        return found[-1].get(key) if found else None
