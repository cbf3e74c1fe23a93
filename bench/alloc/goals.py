"""The goals as data, and what was reached beside them.

Bounds on time were set on another machine, where the best of the others took `anchor` for the same
thing. Beside the bound stands what it would be had it been set on this one: the bound times what
that other one took here, by what it took there.
"""
from dataclasses import dataclass
from typing import Callable

PEERS = ("glibc", "jemalloc", "jemalloc, background thread", "mimalloc", "tcmalloc")
REGIONS = "hearth with regions"
RESTORES = ("random", "time", "random, by another thread", "time, by another thread")
LARGE = ("never, 200,000 series", "random, 200,000 series")
CYCLES = ("16 B to 1 MB, random frees", "16 B to 1 MB, oldest first", "chunk sizes, random frees",
          "chunk sizes, oldest first")


def highest(values):
    values = list(values)
    return None if not values or None in values else max(values)


def over_restores(what, key, variants=RESTORES):
    def read(results, allocator):
        return highest(line.get(key) for v in variants
                       for line in results.lines("restart", v, allocator, what))
    return read


def restart_fragmentation(variants=RESTORES):
    def read(results, allocator):
        if allocator == "mimalloc":
            return None  # has no such figures
        return highest(over_restores(what, "frag", variants)(results, allocator)
                       for what in ("boundary", "expiry"))
    return read


def restart_difference(results, allocator):
    """The largest difference to the process that never restarted, at the same reading."""
    worst = []
    for what in ("boundary", "expiry"):
        never = [line["frag"] for line in results.lines("restart", "never", allocator, what)]
        for variant in RESTORES:
            again = [line["frag"] for line in results.lines("restart", variant, allocator, what)]
            worst += [abs(a - n) for a, n in zip(again, never)]
    return None if allocator == "mimalloc" else highest(worst)


def beside_store(results, allocator):
    """Resident memory besides pages in use, the worst before a boundary."""
    return highest(100 * (line["rss_mb"] - line["inuse_mb"]) / line["inuse_mb"]
                   for v in LARGE for line in results.lines("restart", v, allocator, "boundary"))


def not_live(results, allocator):
    payloads = over_restores("expiry", "rss_per_payload")(results, allocator)
    return None if payloads is None else 100 * (1 - 1 / payloads)


def cost(key):
    return over_restores("cost", key)


def sealing(key):
    """Ours, else what others do: a chunk moves into a buffer of its length when its window closes."""
    def read(results, allocator):
        variants = RESTORES if allocator == REGIONS else ("never, moved when closed",)
        return over_restores("cost", key, variants)(results, allocator)
    return read


def speed(shape, low, high, variants=("1 thread", "2 threads")):
    def read(results, allocator):
        return highest(line["ns"] for v in variants
                       for line in results.lines("speed", v, allocator, shape)
                       if low <= line["size"] <= high)
    return read


def cycle(key, variants, by_live=True):
    def read(results, allocator):
        worst = []
        for variant in variants:
            value = results.value("cycle", variant, allocator, "cycle", key)
            live = results.value("cycle", variant, allocator, "cycle", "live")
            worst.append(None if value is None else value / live if by_live else value)
        return highest(worst)
    return read


def spike(key):
    def read(results, allocator):
        values = [results.value("spike", v, allocator, "spike", key)
                  for v in ("1 KB objects", "one block")]
        # -1: never while somebody looked
        return None if None in values else float("inf") if min(values) < 0 else max(values)
    return read


def single(experiment, key):
    return lambda results, allocator: results.value(experiment, "", allocator, experiment, key)


@dataclass
class Goal:
    name: str
    read: Callable  # (results, allocator) -> number or None
    bound: float
    unit: str
    ours: str = "hearth"
    anchor: tuple = ()  # (allocator, what it took where the bound was set)
    peers: bool = True  # whether the others have such a thing


GOALS = [
    Goal("restart: (inuse - alloc)/inuse at every reading for 48 h", restart_fragmentation(), 1.2,
         "%", REGIONS),
    Goal("restart: the same, away from a process that never restarted", restart_difference, 0.2,
         "points", REGIONS),
    Goal("restart: resident per payload byte before a boundary",
         over_restores("boundary", "rss_per_payload", ("never", *RESTORES)), 1.035, "", REGIONS),
    Goal("restart, 200,000 series: (inuse - alloc)/inuse at every reading",
         restart_fragmentation(LARGE), 0.5, "%", REGIONS),
    Goal("restart, 200,000 series: resident per payload byte before a boundary",
         over_restores("boundary", "rss_per_payload", LARGE), 1.025, "", REGIONS),
    Goal("restart, 200,000 series: resident beside pages in use", beside_store, 0.15, "%", REGIONS,
         peers=False),
    Goal("restart: not live just behind an expiry", not_live, 4, "% of RSS", REGIONS),
    Goal("expiry: CPU per chunk", cost("expiry_ns"), 2, "ns", REGIONS, ("mimalloc", 46)),
    Goal("expiry: longest time somebody is held up", cost("expiry_longest_us"), 50, "us", REGIONS),
    Goal("expiry: the same, in CPU time", cost("expiry_longest_cpu_us"), 50, "us", REGIONS),
    Goal("seal: CPU per chunk", sealing("seal_ns"), 1000, "ns", REGIONS),
    Goal("seal: longest slice", sealing("seal_slice_us"), 200, "us", REGIONS),
    Goal("seal: longest slice, in CPU time", sealing("seal_slice_cpu_us"), 200, "us", REGIONS),
    Goal("seal: growth of RSS", sealing("seal_growth_mb"), 0, "MB", REGIONS),
    Goal("restore: CPU per chunk, page faults included", cost("restore_ns"), 750, "ns", REGIONS,
         ("mimalloc", 800)),
    Goal("ingest: CPU per append", cost("append_ns"), 15, "ns", REGIONS, ("mimalloc", 17)),
    Goal("ingest: growth copies", cost("growth_copies"), 0, "", REGIONS),
    Goal("records beside pages in use, store as above",
         over_restores("boundary", "records_percent"), 0.5, "%", REGIONS, peers=False),
    Goal("list: a node of 16 bytes", single("list", "node_bytes"), 16.1, "bytes"),
    Goal("cycle: 10 s after the low point, oldest first", cycle("low_later", CYCLES[1::2]), 1.10,
         "x live"),
    Goal("cycle: 10 s after the low point, random frees of chunk sizes",
         cycle("low_later", CYCLES[2:3]), 3.6, "x live"),
    Goal("cycle: 10 s after the last free", cycle("end", CYCLES, by_live=False), 8, "MB"),
    Goal("spike: 256 MB back at the system", spike("back_s"), 7, "s"),
    Goal("spike: CPU of the allocator's threads meanwhile", spike("cpu_percent"), 1, "% of a core",
         peers=False),
    Goal("speed: pair up to 32 KB, 1 and 2 threads", speed("pair", 0, 32768), 3.0, "ns",
         anchor=("tcmalloc", 4.2)),
    Goal("speed: batch of 1000 up to 1408 B", speed("batch", 0, 1408, ("1 thread",)), 4.5, "ns",
         anchor=("tcmalloc", 4.3)),
    Goal("speed: batch of 1000 of 64 KB", speed("batch", 65536, 65536, ("1 thread",)), 30, "ns",
         anchor=("mimalloc", 30.3)),
    Goal("speed: batch of 1000 of 1 MB", speed("batch", 1 << 20, 1 << 20, ("1 thread",)), 60, "ns",
         anchor=("tcmalloc", 56)),
    Goal("bigheap: p99.9 of an allocation", single("bigheap", "p999_ns"), 700, "ns",
         anchor=("tcmalloc", 704)),
    Goal("bigheap: growth at constant live bytes", single("bigheap", "growth_percent"), 1.5, "%"),
]


def shown(value):
    if value is None:
        return "-"
    if value == float("inf"):
        return "never"
    return f"{value:.4g}" if abs(value) < 100 else f"{value:,.0f}"


def bound_here(goal, results):
    if not goal.anchor:
        return None
    took = goal.read(results, goal.anchor[0])
    return None if took is None else goal.bound * took / goal.anchor[1]


def verdict(goal, reached, here):
    if reached is None:
        return "-"
    if reached <= goal.bound:
        return "yes"
    return "at this machine's speed" if here and reached <= here else "**no**"


def row(goal, results):
    reached = goal.read(results, goal.ours)
    here = bound_here(goal, results)
    peers = {p: goal.read(results, p) for p in PEERS} if goal.peers else {}
    best = min(((v, p) for p, v in peers.items() if v is not None), default=None)
    return [goal.name, f"{shown(goal.bound)} {goal.unit}".strip(), shown(here) if here else "",
            shown(reached), verdict(goal, reached, here),
            f"{shown(best[0])} ({best[1]})" if best else ""]


def rows(results):
    return [row(goal, results) for goal in GOALS]
