"""What a run of run.py measured, without the answers themselves; kept as JSON, one entry per scale.

    {"100000x60": {
        "date": text, "machine": text,
        "rows": {server: {what: number}},
        "queries": {name: {server: {"cpu_ms", "p50_ms"} or {"error"}}},
        "differences": {name: {peer: text}}}}
"""
import json
import pathlib

OURS = "Hearth"
PEERS = ("Prometheus", "VictoriaMetrics")


class Figures:
    def __init__(self, path=None):
        self.path = pathlib.Path(path) if path else None
        self.scales = json.loads(self.path.read_text()) if self.path and self.path.exists() else {}

    def put(self, scale, entry):
        self.scales[scale] = entry
        if self.path:
            lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(e)}" for name, e in self.scales.items())
            self.path.write_text("{\n" + lines + "\n}\n")

    def value(self, scale, what, server=OURS):
        """A row's number, or a query's CPU in ms; None when it was not measured."""
        entry = self.scales.get(scale, {})
        row = entry.get("rows", {}).get(server, {})
        if what in row:
            return row[what]
        return entry.get("queries", {}).get(what, {}).get(server, {}).get("cpu_ms")

    def ratio(self, scale, what, peer):
        """How many times more the peer takes; None when one of both was not measured, or ours is 0."""
        ours, theirs = self.value(scale, what), self.value(scale, what, peer)
        return theirs / ours if ours and theirs is not None else None
