"""A restart leaves no scar: what a process holds of memory hours after it was restarted is what
one holds that never was. bench/hours/scar.py runs them; ./dev test-long more, with more series."""
import os
import sys

from crash import CLOCK
from hearth import BINARY, LONG, ROOT

sys.path.insert(0, str(ROOT / "bench" / "hours"))

import scar  # noqa: E402
import servers  # noqa: E402

SHORT = scar.Plan(series=1000, hours=52, restart_at=16, step_ms=120_000)
WHOLE = scar.Plan(series=40_000, hours=84, restart_at=36, step_ms=120_000)
TOLERANCE = 0.02 if LONG else 0.1  # of the short one's heap two spans are a twentieth
WHATS = ("rss", "heap in use", "in use and not allocated", "spans")


def test_a_restart_leaves_no_scar(monkeypatch):
    plan = WHOLE if LONG else SHORT
    kinds = ["never restarted", f"killed at hour {plan.restart_at}"]
    monkeypatch.setattr(servers.Hearth, "binary", os.path.abspath(BINARY))
    results = scar.run(plan, CLOCK.parent, None if LONG else kinds)
    scar.print_tables(plan, results)
    for kind, rows in scar.differences(results, plan).items():
        hour, last = rows[-1]
        scars = {what: last[what] for what in WHATS if last[what] > TOLERANCE}  # less is none
        assert not scars, (kind, hour, last)
