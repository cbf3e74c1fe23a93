"""How far the answers of two servers are apart."""
import json
import math

EQUAL = 1e-12  # relative: sums in another order


def values_of(result):
    """A result as {labels: [(t, v)...]}, to compare servers."""
    if isinstance(result, list):
        return {json.dumps(x, sort_keys=True): None for x in result}
    rows = {}
    for row in result.get("result", []):
        points = row.get("values") or [row["value"]]
        rows[json.dumps(row["metric"], sort_keys=True)] = [(float(t), float(v)) for t, v in points]
    return rows


def apart(a, b):
    """The relative difference of two values."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    return abs(a - b) / max(abs(a), abs(b))


def difference(ours, theirs):
    """'=', or what differs, in words or as the largest relative difference."""
    a, b = values_of(ours), values_of(theirs)
    if a.keys() != b.keys():
        return f"{len(a.keys() ^ b.keys())} series differ"
    worst = 0.0
    for key, points in a.items():
        if points is None:
            continue
        if [t for t, _ in points] != [t for t, _ in b[key]]:
            return "steps differ"
        worst = max([worst, *(apart(x, y) for (_, x), (_, y) in zip(points, b[key]))])
    return "=" if worst < EQUAL else f"{worst:.1g}"
