"""The aims as data, and what was reached beside them.

A bound in seconds or milliseconds was set on another machine; a bound that is a ratio to a peer moves with the
machine. Of several scales or queries the worst counts.
"""
from dataclasses import dataclass

STEADY = "steady: CPU s per million samples, settled"
BACKLOG = "12 samples per series and request: CPU s per million samples"
GROWTH = "RSS growth, bytes per series"
RATE = "range: all hosts, sum by(mode)(rate)"
QUANTILE = "range: histogram_quantile by job"
COUNT = "instant: count of everything"
LARGE = (RATE, QUANTILE, COUNT, "range: share of each mode", "instant: long subquery")  # 1,000 series or more
SCALES = ("10000x240", "10000x1920", "100000x120", "1000000x12", "4000x7680")


@dataclass
class Aim:
    name: str
    bound: float
    unit: str
    scales: tuple
    what: tuple  # rows or queries
    peer: str = ""  # the bound is how many times less than it
    to: str = ""  # the bound is what part of this other row

    def reached(self, figures):
        values = [self.one(figures, scale, what) for scale in self.scales for what in self.what_at(figures, scale)]
        values = [v for v in values if v is not None]
        if not values:
            return None
        return min(values) if self.peer else max(values)

    def what_at(self, figures, scale):
        return self.what or figures.scales.get(scale, {}).get("queries", {})

    def one(self, figures, scale, what):
        if self.peer:
            return figures.ratio(scale, what, self.peer)
        value = figures.value(scale, what)
        if value is None or not self.to:
            return value
        whole = figures.value(scale, self.to)
        return None if whole is None else value / whole

    def met(self, reached):
        return reached >= self.bound if self.peer else reached <= self.bound


def less(name, scale, what, prometheus, victoria):
    """So many times less than both."""
    return [Aim(name, bound, "x", (scale,), what, peer)
            for peer, bound in (("Prometheus", prometheus), ("VictoriaMetrics", victoria)) if bound]


AIMS = [
    Aim("a sample, 10,000 series", 0.085, "us of CPU", ("10000x240",), (STEADY,)),
    Aim("a sample, 100,000 series", 0.10, "us of CPU", ("100000x120",), (STEADY,)),
    *less("a sample, 100,000 series", "100000x120", (STEADY,), 60, 10),
    Aim("a sample, 1,000,000 series", 0.12, "us of CPU", ("1000000x12",), (STEADY,)),
    *less("a sample, 1,000,000 series", "1000000x12", (STEADY,), 90, 13),
    Aim("a sample, 12 of a series in a request", 0.035, "us of CPU", SCALES, (BACKLOG,)),
    Aim("a new series, 100,000 series", 1, "us of CPU", ("100000x120",), ("create: CPU us per series",)),
    Aim("a new series, 1,000,000 series", 2, "us of CPU", ("1000000x12",), ("create: CPU us per series",)),
    Aim("p99 of requests, two senders at full speed", 2, "ms", SCALES, ("request p99 ms",)),
    Aim("memory of 100,000 series x 120 samples", 600, "bytes per series", ("100000x120",), (GROWTH,)),
    Aim("memory of 1,000,000 series x 12 samples", 450, "bytes per series", ("1000000x12",), (GROWTH,)),
    Aim("memory of 4,000 series x 32 hours", 42, "MB resident", ("4000x7680",), ("RSS MB",)),
    Aim("an empty process", 6, "MB resident", SCALES, ("empty RSS MB",)),
    Aim("an idle process", 0.1, "ms of CPU per s", SCALES, ("idle CPU ms per s",)),
    *less("queries of 1,000 series or more, 10,000 x 8 h", "10000x1920", LARGE, 15, 10),
    *less("the same, 100,000 x 30 min", "100000x120", LARGE, 15, 10),
    Aim(f"{RATE}, 25,600 series", 14, "ms of CPU", ("100000x120",), (RATE,)),
    Aim(f"{QUANTILE}, 14,400 series", 9, "ms of CPU", ("100000x120",), (QUANTILE,)),
    Aim(f"{COUNT}, 100,000 series", 3, "ms of CPU", ("100000x120",), (COUNT,)),
    Aim("instant: one series", 0.018, "ms of CPU", ("100000x120",), ("instant: one series",)),
    Aim("any query at any scale", 1, "x", SCALES, (), "Prometheus"),
    Aim("any query at any scale", 1, "x", SCALES, (), "VictoriaMetrics"),
    Aim("restart until the newest sample, 100,000 x 120", 0.05, "s", ("100000x120",),
        ("restart: s to the newest sample",)),
    Aim("memory after a restart, of what it was", 1.05, "x", SCALES, ("RSS MB after restart",), to="RSS MB before the stop"),
]
HEAD = ["aim", "bound", "reached", "met"]


def rows(figures, number):
    out = []
    for aim in AIMS:
        reached = aim.reached(figures)
        than = f", beside {aim.peer}" if aim.peer else ""
        sign = "at least" if aim.peer else "at most"
        out.append([aim.name + than, f"{sign} {aim.bound:g}{' times less' if aim.peer else ' ' + aim.unit}", "-" if reached is None else number(reached),
                    "-" if reached is None else "yes" if aim.met(reached) else "**no**"])
    return out
