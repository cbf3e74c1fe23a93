"""The aims as data, and what was reached beside them.

A bound on time was set on another machine. Where it is known what the peers took there, the bound is also told at
this machine's speed: as many times as high as what they take here, of both the one that changed less. A bound that is a
ratio to a peer moves with the machine. Of several scales or queries the worst counts.
"""
from dataclasses import dataclass

from figures import PEERS

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
    there: tuple = ()  # what each of PEERS took where the bound was set

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

    def here(self, figures):
        """The bound at this machine's speed; None when that is not known."""
        theirs = [figures.value(self.scales[0], self.what[0], peer) for peer in PEERS] if self.there else [None]
        if None in theirs:
            return None
        return self.bound * min(now / then for now, then in zip(theirs, self.there))


def less(name, scale, what, prometheus, victoria):
    """So many times less than both."""
    return [Aim(name, bound, "x", (scale,), what, peer)
            for peer, bound in (("Prometheus", prometheus), ("VictoriaMetrics", victoria)) if bound]


AIMS = [
    Aim("a sample, 10,000 series", 0.085, "us of CPU", ("10000x240",), (STEADY,), there=(4.4, 0.975)),
    Aim("a sample, 100,000 series", 0.10, "us of CPU", ("100000x120",), (STEADY,), there=(6.17, 1.10)),
    *less("a sample, 100,000 series", "100000x120", (STEADY,), 60, 10),
    Aim("a sample, 1,000,000 series", 0.12, "us of CPU", ("1000000x12",), (STEADY,), there=(11.2, 1.62)),
    *less("a sample, 1,000,000 series", "1000000x12", (STEADY,), 90, 13),
    Aim("a sample, 12 of a series in a request", 0.035, "us of CPU", SCALES, (BACKLOG,)),
    Aim("a new series, 100,000 series", 1, "us of CPU", ("100000x120",), ("create: CPU us per series",), there=(9.43, 22.3)),
    Aim("a new series, 1,000,000 series", 2, "us of CPU", ("1000000x12",), ("create: CPU us per series",), there=(18.4, 26)),
    Aim("p99 of requests, two senders at full speed", 2, "ms", SCALES, ("request p99 ms",)),
    Aim("memory of 100,000 series x 120 samples", 600, "bytes per series", ("100000x120",), (GROWTH,)),
    Aim("memory of 1,000,000 series x 12 samples", 450, "bytes per series", ("1000000x12",), (GROWTH,)),
    Aim("memory of 4,000 series x 32 hours", 42, "MB resident", ("4000x7680",), ("RSS MB",)),
    Aim("an empty process", 6, "MB resident", SCALES, ("empty RSS MB",)),
    Aim("an idle process", 0.1, "ms of CPU per s", SCALES, ("idle CPU ms per s",)),
    *less("queries of 1,000 series or more, 10,000 x 8 h", "10000x1920", LARGE, 15, 10),
    *less("the same, 100,000 x 30 min", "100000x120", LARGE, 15, 10),
    Aim(f"{RATE}, 25,600 series", 14, "ms of CPU", ("100000x120",), (RATE,), there=(352, 226)),
    Aim(f"{QUANTILE}, 14,400 series", 9, "ms of CPU", ("100000x120",), (QUANTILE,), there=(177, 131)),
    Aim(f"{COUNT}, 100,000 series", 3, "ms of CPU", ("100000x120",), (COUNT,), there=(785, 736)),
    Aim("instant: one series", 0.018, "ms of CPU", ("100000x120",), ("instant: one series",), there=(0.091, 0.083)),
    Aim("any query at any scale", 1, "x", SCALES, (), "Prometheus"),
    Aim("any query at any scale", 1, "x", SCALES, (), "VictoriaMetrics"),
    Aim("restart until the newest sample, 100,000 x 120", 0.05, "s", ("100000x120",),
        ("restart: s to the newest sample",), there=(2.42, 0.192)),
    Aim("memory after a restart, of what it was", 1.05, "x", SCALES, ("RSS MB after restart",), to="RSS MB before the stop"),
]
HEAD = ["aim", "bound", "at this machine's speed", "reached", "met"]


def verdict(aim, reached, here):
    if reached is None:
        return "-"
    if aim.met(reached):
        return "yes"
    return "at this machine's speed" if here is not None and reached <= here else "**no**"


def rows(figures, number):
    out = []
    for aim in AIMS:
        reached, here = aim.reached(figures), aim.here(figures)
        than = f", beside {aim.peer}" if aim.peer else ""
        bound = f"at least {aim.bound:g} times less" if aim.peer else f"at most {aim.bound:g} {aim.unit}"
        out.append([aim.name + than, bound, "" if here is None else number(here),
                    "-" if reached is None else number(reached), verdict(aim, reached, here)])
    return out
