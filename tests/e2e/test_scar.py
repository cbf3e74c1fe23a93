"""A restart leaves no scar: what a process holds of memory at any time after it was restarted is
what one holds that never was. bench/hours/scar.py runs them; ./dev test-long more kinds, more
series and more hours."""
import os
import sys

from crash import CLOCK
from hearth import BINARY, LONG, ROOT

sys.path.insert(0, str(ROOT / "bench" / "hours"))

import scar  # noqa: E402
import servers  # noqa: E402

SHORT = scar.Plan(series=12_000, hours=60, restart_at=36, step_ms=120_000)
WHOLE = scar.Plan(series=40_000, hours=84, restart_at=36, step_ms=120_000)
TOLERANCE = 0.02  # of the heap in use of the one that was never restarted; of its resident memory


def scars(row, control):
    """Where it has more, also of spans of any class; less is none. Classes that have more are not
    added up: one span more or less of each is chance, and the sum would count one side of it."""
    differences = scar.compare(row, control)
    del differences["spans of classes that have more"]
    return {what: by for what, by in differences.items() if by > TOLERANCE}


def test_a_restart_leaves_no_scar(monkeypatch):
    plan = WHOLE if LONG else SHORT
    kinds = ["never restarted", f"killed at hour {plan.restart_at}"]
    monkeypatch.setattr(servers.Hearth, "binary", os.path.abspath(BINARY))
    results = scar.run(plan, CLOCK.parent, None if LONG else kinds)
    scar.print_tables(plan, results)
    for kind, rows in scar.differences(results, plan, scars).items():
        assert len(rows) > 1, kind
        for hour, found in rows:
            assert not found, (kind, hour, found)
