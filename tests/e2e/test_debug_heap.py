"""GET /debug/heap: JSON whose parts agree with each other and with /metrics."""
import re

from hearth import now_ms, series


def metric(text, name):
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


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
    assert stats["HeapSys"] == stats["HeapInuse"] + stats["HeapIdle"]
    assert stats["HeapAlloc"] == sum(owner["bytes"] for owner in data["owners"])
    lost = data["fragmentation"]
    rest = lost["freeSlotBytes"] + lost["tailBytes"] + lost["cachedBytes"]
    assert stats["HeapInuse"] - stats["HeapAlloc"] == rest
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
