"""GET /debug/heap: JSON whose parts agree with each other and with /metrics."""
import re
import time

from hearth import now_ms, series


def metric(text, name):
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def check_sums(data):
    """What one reading of the books says agrees with itself."""
    stats = data["memStats"]
    assert stats["HeapSys"] == stats["HeapInuse"] + stats["HeapIdle"]
    assert stats["HeapObjects"] == stats["Mallocs"] - stats["Frees"]
    assert stats["HeapAlloc"] == stats["Alloc"] == sum(owner["bytes"] for owner in data["owners"])
    assert stats["HeapObjects"] == sum(owner["objects"] for owner in data["owners"])
    assert stats["Sys"] == sum(stats[field] for field in (
        "HeapSys", "StackSys", "MSpanSys", "MCacheSys", "BuckHashSys", "GCSys", "OtherSys"))
    for what in ("Mallocs", "Frees"):
        by_size = sum(row[what] + row["Region" + what] for row in stats["BySize"])
        assert stats[what] == by_size + stats["TinyAllocs"]
    rounding, *rest = data["fragmentation"].values()
    assert stats["HeapInuse"] - stats["HeapAlloc"] == sum(rest)
    requested = sum(owner["requestedBytes"] for owner in data["owners"])
    assert stats["HeapAlloc"] - requested == rounding


def check_pauses(text, stats):
    """What sweeps held up, by quantile, as Go tells its pauses."""
    name = "go_gc_duration_seconds"
    quantiles = [metric(text, rf'{name}\{{quantile="{quantile}"\}}')
                 for quantile in ("0", "0.25", "0.5", "0.75", "1")]
    assert quantiles == sorted(quantiles)
    assert 0 < quantiles[-1] <= metric(text, f"{name}_sum")
    assert metric(text, f"{name}_count") >= stats["NumGC"] > 0
    assert metric(text, f"{name}_sum") >= stats["PauseTotalNs"] / 1e9 > 0
    assert metric(text, "go_memstats_last_gc_time_seconds") >= stats["LastGC"] / 1e9 >= 0
    assert 0 < stats["GCCPUFraction"] < 1


def lost_in_regions(data):
    """What windows say that their regions lose; what the books say."""
    lost = data["fragmentation"]
    tails, dead = (sum(region[kind] for region in data["regions"])
                   for kind in ("tailBytes", "deadBytes"))
    return [tails, dead], [lost["blockBytes"], lost["deletedBytes"]]


def test_sealed_chunks_are_in_the_sums_too(make):
    server = make("--web.enable-admin-api", "--self-scrape.interval=0",
                  "--storage.chunk-duration=4s", "--storage.windows=4",
                  "--storage.future-tolerance=1s").start()
    labels = [{"__name__": "m", "i": f"{i}"} for i in range(500)]
    data = server.get("/debug/heap").json["data"]
    end = time.monotonic() + 30
    while not any(region["objects"] for region in data["regions"]) and time.monotonic() < end:
        t = now_ms()
        server.must_write([series(one, [(t, hash((t, one["i"])) / 7.0)]) for one in labels])
        data = server.get("/debug/heap").json["data"]
        check_sums(data)
    # Nobody writes any more; when sealing is through, both count the same.
    while True:
        data = server.get("/debug/heap").json["data"]
        check_sums(data)
        by_window, by_heap = lost_in_regions(data)
        if by_window == by_heap:
            break
        assert time.monotonic() < end, (by_window, by_heap)
    assert by_heap[0] > 0
    assert sum(row["RegionMallocs"] for row in data["memStats"]["BySize"]) > 0
    assert sum(block.get("region", 0) for block in data["blocks"]) > 0
    check_pauses(server.get("/metrics").text, data["memStats"])


def test_the_map_agrees_with_the_sums(make):
    server = make("--web.enable-admin-api", "--self-scrape.interval=0").start()
    data = server.get("/debug/heap").json["data"]
    text = server.get("/metrics").text
    stats = data["memStats"]
    pages = {state: 0 for state in ("idle", "released", "small", "large", "region")}
    for block in data["blocks"]:
        assert block["page"] % data["blockPages"] == 0
        for state in pages:
            pages[state] += block.get(state, 0)
    assert sum(pages.values()) >= data["pages"] - 1
    # The sums are read first and /metrics last; the range may grow meanwhile.
    assert stats["HeapSys"] <= sum(pages.values()) * data["pageBytes"]
    assert sum(pages.values()) * data["pageBytes"] <= metric(text, "go_memstats_heap_sys_bytes")
    check_sums(data)
    assert metric(text, "go_memstats_heap_sys_bytes") - stats["HeapSys"] <= 8 << 20
    # Requests come and go between the two readings.
    inuse = (pages["small"] + pages["large"] + pages["region"]) * data["pageBytes"]
    assert abs(metric(text, "go_memstats_heap_inuse_bytes") - inuse) < 4 << 20


def test_spans_of_all_ranges_are_all_pages(make):
    server = make("--web.enable-admin-api", "--self-scrape.interval=0").start()
    at = 1
    while True:
        data = server.get(f"/debug/heap?detail=spans&from={at}&pages=64").json["data"]
        if at >= data["pages"]:
            break
        for span in data["spans"]:
            assert span["page"] <= at < span["page"] + span["pages"]
            if span["state"] == "small":
                assert 0 <= span["freeSlots"] <= span["slots"]
            at = span["page"] + span["pages"]
    assert at >= data["pages"] and data["spans"] == []


def test_what_was_asked_for_is_given_back_at_once(make):
    server = make("--web.enable-admin-api", "--self-scrape.interval=0").start()
    t = now_ms()
    many = [series({"__name__": "m", "i": f"{i}"}, [(t, 1.0)]) for i in range(20000)]
    server.must_write(many)
    assert server.query("count(m)")["result"][0]["value"][1] == "20000"
    before = server.metrics()
    reply = server.post("/debug/heap/release")
    assert reply.code == 200, reply
    after = server.metrics()
    released = reply.json["data"]["releasedBytes"]
    total = "hearth_scavenger_released_bytes_total"
    assert released > 1 << 20
    assert after[total] - before[total] >= released
    assert after["process_resident_memory_bytes"] < before["process_resident_memory_bytes"]
    assert after["go_gc_cycles_forced_gc_cycles_total"] == 1
    assert server.get("/debug/heap/release").code == 405
    assert server.query("count(m)")["result"][0]["value"][1] == "20000"
