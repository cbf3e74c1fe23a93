"""Random queries over random data: Hearth answers what Debian's Prometheus (2.42) does.

Samples lie 7 s behind a grid of 15 s and every time of a query on it, and ranges of subqueries end
in 7 s, so that nothing is on the edge of a window: those are open to the left since Prometheus 3.
What else the versions do differently is listed in KNOWN, with the reason, and counted.
"""
import json
import math
import os
import random
import re
import time

import pytest

from hearth import LONG, get, request, series, write_body
from peers import Prometheus

COUNT = 20_000 if LONG else 1_000
SEED = int(os.environ.get("HEARTH_SEED", time.time_ns() % 1_000_000 if LONG else 1))
STEP_S, SAMPLES = 15, 200

SELECTORS = (
    "m_total", "n_total", "g", "h", 'g{a="0"}', 'h{a!="1"}', 'm_total{b=~"x|y"}', 'g{i!~"[0-2]"}',
    '{__name__=~"g|h",i="2"}', 'm_total{a="0",b="x"}', "nothing",
)  # fmt: skip
RANGED = (
    "rate increase delta irate idelta deriv changes resets avg_over_time sum_over_time "
    "count_over_time min_over_time max_over_time last_over_time present_over_time "
    "stddev_over_time stdvar_over_time absent_over_time"
).split()
MAPPED = (
    "abs ceil floor exp sqrt sgn ln log2 log10 sin cos tan atan sinh cosh tanh asinh deg rad "
    "day_of_week hour minute month year day_of_month days_in_month day_of_year timestamp round "
    "absent sort sort_desc -"
).split()
FOLDED = "sum avg min max count group stddev stdvar".split()
BUCKETS = (
    "hist_bucket", "rate(hist_bucket[5m])", "sum by (le) (rate(hist_bucket[5m]))",
    "sum by (le,q) (increase(hist_bucket[10m]))",
)  # fmt: skip

# What turns the last bit of a value into a difference that is seen.
CUTS = r"\b(ceil|floor|round|sgn|minute|hour|day_of_\w+|days_in_month|month|year)\("

# What 3.x, or another library, answers differently: a pattern of the query, and why.
KNOWN = {
    r"\b(rate|increase)\(": "a counter near zero: the threshold of gaps comes before the zero",
    r"\b(stddev|stdvar)[ (]": "one sample that is no number: NaN, not 0",
    r"\bstd(dev|var)_over_time\(": "squares that overflow: Inf, not NaN",
    r"\b(topk|bottomk)\(": "among equal values any may win",
    r"\bcount_values\b": "values that differ in the last bit are different texts",
    r"\b(sin|cos|tan)\(.*\b(exp|sinh|cosh)\(": "the last bit of a huge angle turns it around",
    r"\b(predict_linear|deriv)\(.*\b(exp|sinh|cosh)\(": "sums that overflow: Inf, not NaN",
    r"predict_linear\(.*@": "2.42 goes on from another time with every step",
    CUTS + r".*\b(exp|sinh|cosh|ln|log2|log10)\(": "Go's functions differ in the last bit",
    CUTS + r".*\bavg": "2.42 moves a mean by each value: its last bit",
    r"\bavg.* ([<>]|[<>=!]=) ": "2.42 moves a mean by each value: its last bit",
    r"@ \d+.*\[\w+:\w+\]": "2.42 does not read all that an @ in a subquery asks for",
}

# Errors of 422 that a query may have two of. Prometheus stops at the first step with either;
# here a side is read whole, and steps are evaluated together.
OF_MATCHING = "multiple matches for labels|found duplicate series|with the same labelset"


class Queries:
    """A generator of queries no deeper than asked for."""

    def __init__(self, rnd, base):
        self.rnd, self.base = rnd, base

    def number(self):
        return self.rnd.choice(["0", "1", "2", "0.5", "-1", "10", "1e3", "Inf", "NaN", "3"])

    def shift(self):
        kind = self.rnd.random()
        if kind < 0.8:
            return ""
        if kind < 0.93:
            return f" offset {self.rnd.randrange(1, 10)}m"
        return f" @ {self.base + self.rnd.randrange(40, 190) * STEP_S}"

    def labels(self, names, most):
        return ",".join(self.rnd.sample(names, self.rnd.randrange(0, most)))

    def grouping(self):
        kind = self.rnd.random()
        if kind < 0.3:
            return ""
        if kind < 0.75:
            return f" by ({self.labels(['a', 'b', 'i', 'le', 'q', '__name__'], 3)})"
        return f" without ({self.labels(['a', 'b', 'i'], 3)})"

    def matching(self, grouped):
        if self.rnd.random() < 0.35:
            return ""
        group = self.rnd.choice(["", "", " group_left", " group_right"]) if grouped else ""
        word = self.rnd.choice(["on", "ignoring"])
        return f" {word} ({self.labels(['a', 'b', 'i'], 4)}){group and group + ' ()'}"

    def matrix(self, depth):
        length = self.rnd.choice(["1m", "2m", "3m", "5m", "10m", "17m"])
        if depth > 0 and self.rnd.random() < 0.15:
            step = self.rnd.choice(["1m", "30s", "2m"])
            return f"({self.vector(depth - 1)})[{length}7s:{step}]{self.shift()}"
        return f"{self.rnd.choice(SELECTORS)}[{length}]{self.shift()}"

    def scalar(self, depth):
        if depth <= 0 or self.rnd.random() < 0.6:
            return self.number()
        inner = self.scalar(depth - 1)
        return self.rnd.choice(
            [f"scalar({self.vector(depth - 1)})", "time()", "pi()", f"({inner} + 3)", f"(-{inner})"]
        )

    def vector(self, depth):
        if depth <= 0 or self.rnd.random() < 0.1:
            return self.rnd.choice(SELECTORS) + self.shift()
        makers = [self.range_call] * 4 + [self.map_call] * 2 + [self.aggregation] * 3
        makers += [self.with_scalar, self.two_vectors, self.sets, self.histogram, self.relabeled]
        return self.rnd.choice(makers)(depth)

    def range_call(self, depth):
        if self.rnd.random() < 0.1:
            return f"quantile_over_time({self.number()}, {self.matrix(depth)})"
        if self.rnd.random() < 0.1:
            return f"predict_linear({self.matrix(depth)}, {self.number()})"
        return f"{self.rnd.choice(RANGED)}({self.matrix(depth)})"

    def map_call(self, depth):
        inner = self.vector(depth - 1)
        if self.rnd.random() < 0.2:
            least, most = self.number(), self.number()
            return self.rnd.choice(
                [f"clamp({inner}, {least}, {most})", f"clamp_min({inner}, {least})",
                 f"clamp_max({inner}, {most})", f"round({inner}, 0.1)", f"vector({least})"]
            )  # fmt: skip
        return f"{self.rnd.choice(MAPPED)}({inner})"

    def aggregation(self, depth):
        inner, by = self.vector(depth - 1), self.grouping()
        if self.rnd.random() < 0.75:
            return f"{self.rnd.choice(FOLDED)}{by} ({inner})"
        return self.rnd.choice(
            [f"topk({self.rnd.randrange(1, 4)}, {inner})", f'count_values{by} ("v", {inner})',
             f"bottomk({self.rnd.randrange(1, 4)}, {inner})",
             f"quantile{by} ({self.number()}, {inner})"]
        )  # fmt: skip

    def with_scalar(self, depth):
        op = self.rnd.choice(["+", "-", "*", "/", "==", ">", "<=", "!= bool", "< bool"])
        sides = [self.vector(depth - 1), self.scalar(depth)]
        self.rnd.shuffle(sides)
        if self.rnd.random() < 0.1:
            return f"({self.rnd.choice(SELECTORS)} {self.rnd.choice('%^')} 3)"
        return f"({sides[0]} {op} {sides[1]})"

    def two_vectors(self, depth):
        op = self.rnd.choice(["+", "-", "*", "/", "==", ">", "<= bool", "!= bool"])
        return f"({self.vector(depth - 1)} {op}{self.matching(True)} {self.vector(depth - 1)})"

    def sets(self, depth):
        op = self.rnd.choice(["and", "or", "unless"])
        return f"({self.vector(depth - 1)} {op}{self.matching(False)} {self.vector(depth - 1)})"

    def histogram(self, _):
        q = self.rnd.choice(["0.9", "0.5", "0", "1", "2", "NaN"])
        return f"histogram_quantile({q}, {self.rnd.choice(BUCKETS)})"

    def relabeled(self, depth):
        inner = self.vector(depth - 1)
        return self.rnd.choice(
            [f'label_replace({inner}, "z", "$1-x", "a", "(.*)")',
             f'label_replace({inner}, "a", "", "a", ".*")',
             f'label_join({inner}, "z", "-", "a", "b")']
        )  # fmt: skip

    def ask(self):
        """The path and parameters of one request."""
        query = self.vector(self.rnd.randrange(1, 4))
        at = self.base + self.rnd.randrange(20, 200) * STEP_S
        if self.rnd.random() < 0.5:
            return "/api/v1/query", {"query": query, "time": at}
        step = self.rnd.choice([15, 30, 45, 60])
        end = at + self.rnd.randrange(1, 25) * step  # 2.42 looks at subqueries behind the last step
        return "/api/v1/query_range", {"query": query, "start": at, "end": end, "step": step}


def values(rnd, kind):
    """None where a sample is missing."""
    v = 0
    for _ in range(SAMPLES):
        if kind == "counter":
            v = 0 if rnd.random() < 0.03 else v + rnd.randrange(0, 50)
        else:
            v = rnd.choice([rnd.randrange(-5, 6), round(rnd.uniform(-3, 3), 2)])
        odd = rnd.choice([math.nan, math.inf]) if kind == "odd" and rnd.random() < 0.03 else v
        yield None if rnd.random() < 0.06 else float(odd)


def data(rnd, base):
    def timed(numbers):
        times = ((base + k * STEP_S + 7) * 1000 for k in range(SAMPLES))
        return [(t, v) for t, v in zip(times, numbers) if v is not None]

    for name, kind in (("m_total", "counter"), ("n_total", "counter"), ("g", ""), ("h", "odd")):
        for i in range(6):
            labels = {"__name__": name, "a": str(i % 3), "b": "xyz"[i // 2 % 3], "i": str(i)}
            yield labels, timed(values(rnd, kind))
    for q in range(2):
        counts = [[rnd.randrange(0, 4) for _ in range(SAMPLES)] for _ in range(5)]
        below = [0] * SAMPLES
        for le, more in zip(("0.1", "0.5", "1", "5", "+Inf"), counts):
            below = [old + new for old, new in zip(below, more)]
            rising = [float(sum(below[: k + 1])) for k in range(SAMPLES)]
            yield {"__name__": "hist_bucket", "le": le, "q": str(q)}, timed(rising)


def close(a, b):
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return x == y or abs(x - y) <= 1e-9 * max(abs(x), abs(y), 1e-6)


def by_labels(result):
    if result["resultType"] == "scalar":
        return {(): [result["result"]]}
    return {
        tuple(sorted(s["metric"].items())): s.get("values") or [s["value"]]
        for s in result["result"]
    }


def error_difference(theirs, mine):
    """Texts of 2.42 name series in any order, and parse errors of range queries lack a prefix."""
    if theirs["errorType"] != mine["errorType"]:
        return f"{theirs['errorType']} and {mine['errorType']}"
    a, b = theirs["error"], mine["error"]
    for loose in ("found duplicate series", "parse error"):
        if loose in a and loose in b:
            return None
    return None if a == b else f"{a!r} and {b!r}"


def difference(theirs, mine):
    if theirs["status"] != mine["status"]:
        return f"{theirs.get('error', 'no error')!r} and {mine.get('error', 'no error')!r}"
    if theirs["status"] == "error":
        return error_difference(theirs, mine)
    a, b = by_labels(theirs["data"]), by_labels(mine["data"])
    if set(a) != set(b):
        return f"series {sorted(set(a) - set(b))[:3]} and {sorted(set(b) - set(a))[:3]}"
    for key, points in a.items():
        if [t for t, _ in points] != [t for t, _ in b[key]]:
            return f"{key}: points at other times"
        for (t, x), (_, y) in zip(points, b[key]):
            if not close(x, y):
                return f"{key} at {t}: {x} and {y}"
    return None


def known(query, why):
    if "no error" in why and "multiple matches for labels" in why:
        return "pairs that a comparison drops count as matches, too"
    if len(re.findall(OF_MATCHING, why)) == 2 and "no error" not in why:
        return "of two errors in the labels of a query the other one is told"
    return next((reason for pattern, reason in KNOWN.items() if re.search(pattern, query)), None)


@pytest.fixture
def both(make, tmp_path, programs):
    prometheus = Prometheus(tmp_path / "prometheus", {})
    prometheus.more_flags = ["--web.enable-remote-write-receiver"]
    programs.append(prometheus)
    return prometheus.start(), make("--self-scrape.interval=0").start()


def test_random_queries_are_answered_alike(both):
    rnd = random.Random(SEED)
    base = (int(time.time()) - 3600) // 60 * 60
    body = write_body(
        [series(sorted(labels.items()), samples) for labels, samples in data(rnd, base)]
    )
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    for program in both:
        assert request(program.port, "POST", "/api/v1/write", body, headers).code in (200, 204)
    queries = Queries(rnd, base)
    differences, excused, answered = [], {}, 0
    for _ in range(COUNT):
        path, params = queries.ask()
        theirs, mine = (json.loads(get(program.port, path, params).body) for program in both)
        answered += mine["status"] == "success" and mine["data"]["result"] != []
        why = difference(theirs, mine)
        reason = why and known(params["query"], why)
        if reason:
            excused[reason] = excused.get(reason, 0) + 1
        elif why:
            differences.append(f"{params}\n    Prometheus and Hearth: {why}")
    print(f"seed {SEED}: {COUNT} queries, {answered} with a result, excused: {excused}")
    assert not differences, f"seed {SEED}:\n" + "\n".join(differences[:20])
    assert answered > COUNT / 2
    assert sum(excused.values()) < COUNT / 20
