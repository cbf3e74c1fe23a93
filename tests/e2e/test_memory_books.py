"""The books under load: at every scrape the sums agree, and the sum of all owners is what the
kernel says the process has."""
import collections
import re
import threading

from hearth import now_ms, series

SERIES_PER_REQUEST = 1000
SCRAPES = 30
SAMPLE = re.compile(r'^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$', re.MULTILINE)


def resident_bytes(server):
    """Pages, not the kernel's running counters, which lag behind by thread."""
    with open(f"/proc/{server.process.pid}/smaps_rollup") as rollup:
        return int(re.search(r"^Rss:\s+(\d+) kB", rollup.read(), re.MULTILINE)[1]) * 1024


def scrape(server):
    """Sums by metric name, and by name and first label value."""
    sums = collections.Counter()
    for name, labels, value in SAMPLE.findall(server.get("/metrics").text):
        sums[name] += float(value)
        if labels:
            sums[name, labels.split('"')[1]] += float(value)
    return sums


def check(m):
    inuse = m["go_memstats_heap_inuse_bytes"]
    assert m["go_memstats_heap_sys_bytes"] == inuse + m["go_memstats_heap_idle_bytes"]
    assert m["go_memstats_sys_bytes"] == sum(
        m[f"go_memstats_{part}_sys_bytes"]
        for part in ("heap", "stack", "mspan", "mcache", "buck_hash", "gc", "other"))
    assert m["go_memstats_heap_released_bytes"] <= m["go_memstats_heap_idle_bytes"]
    for records in ("mspan", "mcache"):
        used, mapped = (m[f"go_memstats_{records}_{of}_bytes"] for of in ("inuse", "sys"))
        assert used <= mapped
    check_objects(m)
    assert m["hearth_alloc_payload_bytes"] + m["hearth_alloc_slack_bytes"] == inuse
    assert m["hearth_alloc_payload_bytes"] + m["hearth_alloc_fragmentation_bytes"] == inuse
    assert m["hearth_alloc_tag_bytes"] == m["go_memstats_heap_alloc_bytes"] <= inuse
    assert m["hearth_alloc_tag_requested_bytes"] <= m["hearth_alloc_tag_bytes"]
    given_back = m["go_memstats_heap_released_bytes"] + m["hearth_alloc_span_released_bytes"]
    assert given_back == m["hearth_alloc_retained_bytes"]
    resident = m["hearth_alloc_resident_bytes"]
    assert m["go_memstats_sys_bytes"] - given_back == resident
    assert m["hearth_memory_used_bytes"] == resident + m["hearth_memory_used_bytes", "other"]
    assert m["hearth_alloc_active_bytes"] == inuse


def check_objects(m):
    """How many there were, and how many bytes, by each way of counting."""
    tiny = m["go_gc_heap_tiny_allocs_objects_total"]
    mallocs, frees = m["go_memstats_mallocs_total"], m["go_memstats_frees_total"]
    assert m["go_memstats_heap_objects"] == mallocs - frees == m["hearth_alloc_tag_objects"]
    assert m["go_gc_heap_allocs_by_size_bytes_count"] == mallocs - tiny
    assert m["go_gc_heap_frees_by_size_bytes_count"] == frees - tiny
    alloc = m["go_memstats_heap_alloc_bytes"]
    assert m["go_memstats_alloc_bytes"] == m["hearth_alloc_allocated_bytes"] == alloc
    given = m["go_gc_heap_allocs_by_size_bytes_sum"]
    assert given == m["go_memstats_alloc_bytes_total"]
    assert given - m["go_gc_heap_frees_by_size_bytes_sum"] == alloc


class Load(threading.Thread):
    """Writes new and known series, and asks for them."""

    def __init__(self, server, number):
        super().__init__()
        self.server, self.number, self.stop, self.codes = server, number, False, set()

    def run(self):
        step = 0
        while not self.stop:
            t = now_ms()
            batch = [
                series(
                    {"__name__": "m", "writer": f"{self.number}", "i": f"{step % 20}-{i}"},
                    [(t, float(i))],
                )
                for i in range(SERIES_PER_REQUEST)
            ]
            self.codes.add(self.server.write(batch).code)
            self.codes.add(self.server.get("/api/v1/query", {"query": "sum by (writer) (m)"}).code)
            step += 1


def test_the_sums_agree_at_every_scrape_under_load(make):
    server = make("--storage.memory-limit=1GiB").start()
    loads = [Load(server, i) for i in range(2)]
    for load in loads:
        load.start()
    try:
        for _ in range(SCRAPES):
            check(scrape(server))
    finally:
        for load in loads:
            load.stop = True
            load.join()
    assert all(load.codes == {200, 204} for load in loads), [load.codes for load in loads]


def test_the_sum_of_all_owners_is_what_the_process_has(make):
    server = make("--storage.memory-limit=2GiB").start()
    t = now_ms()
    for number in range(60):
        server.must_write([
            series({"__name__": "m", "job": f"{number % 7}", "i": f"{number}-{i}"},
                   [(t + step * 1000, float(step * i)) for step in range(20)])
            for i in range(SERIES_PER_REQUEST)])
    worst = 0.0
    for _ in range(20):
        server.get("/api/v1/query", {"query": "sum by (job) (m)"})
        before = resident_bytes(server)
        m = scrape(server)
        check(m)
        used = m["hearth_memory_used_bytes"]
        after = resident_bytes(server)
        apart = max(used - max(before, after), min(before, after) - used, 0) / after
        worst = max(worst, apart)
    mib = 2**20
    print(f"used {used / mib:.1f} MiB, resident {after / mib:.1f} MiB, at most {worst:.2%} apart")
    assert worst < 0.02, (used, before, after)
    assert m["hearth_memory_used_bytes", "series"] > 60_000 * 100
    # An open chunk is a cell at least.
    assert m["hearth_memory_used_bytes", "chunks"] >= 60_000 * 128


def test_an_empty_process_is_small(make):
    server = make().start()
    with open(f"/proc/{server.process.pid}/maps") as maps:
        libraries = sorted(set(re.findall(r"/(lib[^/]*)\.so", maps.read())))
    assert not any("gnutls" in library for library in libraries), libraries
    # The aim is 6; the kernel decides how much is mapped around a page of a library.
    assert resident_bytes(server) < 6_500_000, libraries
