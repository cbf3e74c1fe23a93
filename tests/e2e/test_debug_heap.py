"""GET /debug/heap: JSON whose parts agree with each other and with /metrics."""
import re


def metric(text, name):
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def test_the_map_agrees_with_the_sums(make):
    server = make("--web.enable-admin-api", "--self-scrape.interval=0").start()
    data = server.get("/debug/heap").json["data"]
    text = server.get("/metrics").text
    stats = data["memStats"]
    pages = {state: 0 for state in ("idle", "released", "small", "large")}
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
    inuse = (pages["small"] + pages["large"]) * data["pageBytes"]
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
