"""GET /debug/heap: JSON whose parts agree with each other and with /metrics."""
import re

from hearth import Hearth


def metric(text, name):
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def test_the_map_agrees_with_the_sums(tmp_path):
    server = Hearth(tmp_path, "--web.enable-admin-api", "--self-scrape.interval=0")
    server.start()
    try:
        data = server.get("/debug/heap").json["data"]
        text = server.get("/metrics").text
        stats = data["memStats"]
        pages = {state: 0 for state in ("idle", "released", "small", "large")}
        for block in data["blocks"]:
            assert block["page"] % data["blockPages"] == 0
            for state in pages:
                pages[state] += block.get(state, 0)
        assert sum(pages.values()) == data["pages"] - 1
        assert sum(pages.values()) * data["pageBytes"] == stats["HeapSys"]
        assert stats["HeapSys"] == stats["HeapInuse"] + stats["HeapIdle"]
        assert stats["HeapAlloc"] == sum(owner["bytes"] for owner in data["owners"])
        lost = data["fragmentation"]
        rest = lost["freeSlotBytes"] + lost["tailBytes"] + lost["cachedBytes"]
        assert stats["HeapInuse"] - stats["HeapAlloc"] == rest
        assert metric(text, "go_memstats_heap_sys_bytes") == stats["HeapSys"]
        # Requests come and go between the two readings.
        inuse = (pages["small"] + pages["large"]) * data["pageBytes"]
        assert abs(metric(text, "go_memstats_heap_inuse_bytes") - inuse) < 4 << 20
    finally:
        server.stop()


def test_spans_of_all_ranges_are_all_pages(tmp_path):
    server = Hearth(tmp_path, "--web.enable-admin-api", "--self-scrape.interval=0")
    server.start()
    try:
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
        assert at == data["pages"] and data["spans"] == []
    finally:
        server.stop()
