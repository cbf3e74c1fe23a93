"""A small memory limit: writes are told to come again, queries are answered, nothing dies."""
import time

import pytest

from hearth import PATIENCE_SECONDS, now_ms, series, wait_until

LIMIT_BYTES = 96 << 20
SERIES_PER_REQUEST = 2000


def fill(server, t, number):
    serieses = [
        series(
            {
                "__name__": "filler",
                "number": f"{number:06d}-{i:06d}",
                "text": f"some more text to make it large {number * SERIES_PER_REQUEST + i}",
            },
            [(t, float(i))],
        )
        for i in range(SERIES_PER_REQUEST)
    ]
    return server.write(serieses)


def count_filler(server):
    """By what it tells itself: a query gets too little for all of them when memory is short."""
    assert server.query('filler{number="000000-000007"}', server.t / 1000)["result"]
    return server.metrics()["prometheus_tsdb_head_series"] - 1


def test_at_the_limit_writes_wait_and_queries_are_answered(make):
    server = make(f"--storage.memory-limit={LIMIT_BYTES}").start()
    t = now_ms()
    server.t = t
    server.must_write([series({"__name__": "first"}, [(t, 7.0)])])
    acknowledged = 0
    for number in range(1000):
        reply = fill(server, t, number)
        if reply.code != 204:
            break
        acknowledged += SERIES_PER_REQUEST
    assert reply.code == 503, reply
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.text.strip()
    assert acknowledged >= SERIES_PER_REQUEST

    assert server.query("first")["result"][0]["value"][1] == "7"
    counted = count_filler(server)
    # The refused request may have left some of its series behind, never more than it had.
    assert acknowledged <= counted <= acknowledged + SERIES_PER_REQUEST
    assert server.get("/-/ready").code == 200
    assert server.get("/metrics").code == 200
    assert server.metrics()["process_resident_memory_bytes"] < LIMIT_BYTES * 1.25

    # A sample of a series that is there needs next to nothing; after a while it may get in.
    for _ in range(20):
        assert fill(server, t, number).code in (204, 503)
    assert server.query("first")["result"][0]["value"][1] == "7"

    # What was acknowledged is still there after a crash, under the same limit.
    server.kill()
    server.start()
    assert count_filler(server) >= acknowledged
    assert server.query("first")["result"][0]["value"][1] == "7"


def test_a_query_too_large_for_its_memory_fails_alone(make):
    server = make("--query.max-memory=1MiB").start()
    t = now_ms()
    for number in range(5):
        assert fill(server, t, number).code == 204
    reply = server.get("/api/v1/query", {"query": "{__name__='filler'}"})
    assert reply.code in (422, 503), reply
    assert reply.json["status"] == "error"
    wait_until(lambda: server.query("count(filler{number=~'000000.*'})")["result"], 10)


def test_the_series_limit_refuses_new_series_only(make):
    server = make("--storage.max-series=10").start()
    t = now_ms() - 1000
    many = [series({"__name__": "s", "i": f"{i:02d}"}, [(t, 1.0)]) for i in range(15)]
    reply = server.write(many)
    assert reply.code == 400, reply  # 503 would make the sender come again, for ever
    assert "max_series: 5" in reply.text, reply.text
    assert server.metrics()['hearth_samples_refused_total{reason="max_series"}'] == 5
    assert server.query("count(s)")["result"][0]["value"][1] == "10"
    kept = [item["metric"]["i"] for item in server.query("s")["result"]]
    server.must_write([series({"__name__": "s", "i": kept[0]}, [(t + 1, 2.0)])])


def pressure(server):
    return server.metrics()["hearth_memory_pressure"]


def await_measurement(server):
    """The pressure is measured every second, and what is free given back; but who measures rests
    when it found calm and no memory was taken since."""
    name = "hearth_scavenger_seconds_total"
    before = server.metrics()[name]
    calm_at = time.monotonic() + 2.5
    wait_until(lambda: server.metrics()[name] != before
               or (time.monotonic() > calm_at and pressure(server) == 0), 10)


def test_first_new_series_are_refused_then_all_samples(make):
    server = make("--storage.memory-limit=64MiB", "--self-scrape.interval=0").start()
    start = now_ms() - 3_600_000
    known = [{"__name__": "known", "i": f"{i}"} for i in range(500)]
    server.must_write([series(labels, [(start, 0.5)]) for labels in known])

    def count_known():
        answer = server.query("count(known)", (start + 4000) / 1000)
        return int(answer["result"][0]["value"][1])

    # Until there is no room for new ones, the memory of requests under way not counted.
    refusals = 0
    number = 0
    while refusals < 3:
        reply = fill(server, start, number)
        refusals = refusals + 1 if reply.code == 503 else 0
        number += 1
        if refusals:
            await_measurement(server)
    assert int(reply.headers["Retry-After"]) >= 1
    before = server.metrics()
    for round in range(1, 4):
        server.must_write([series(labels, [(start + round * 1000, 0.5)]) for labels in known])
        reply = fill(server, start, 2000 + round)
        assert reply.code == 503, reply
        assert f"new_series: {SERIES_PER_REQUEST}" in reply.text
    after = server.metrics()
    refused = 'hearth_samples_refused_total{reason="new_series"}'
    stored = 'hearth_write_samples_total{outcome="stored"}'
    shed = 'hearth_shed_total{action="refuse_new_series"}'
    assert after[refused] - before[refused] == 3 * SERIES_PER_REQUEST
    assert after[stored] - before[stored] == 3 * len(known)
    assert after[shed] - before[shed] == 3
    assert after['hearth_shed_total{action="refuse_write"}'] == 0
    assert wait_until(lambda: pressure(server) == 2, 10)
    assert count_known() == len(known)

    # Known ones fill what is left, until there is no memory for their request either. Values that
    # do not compress.
    for step in range(4, 2000):
        times = [start + step * 10_000 + k * 250 for k in range(40)]
        many = [series(labels, [(t, hash((t, labels["i"])) / 7.0) for t in times])
                for labels in known]
        reply = server.write(many)
        if reply.code != 204:
            break
    assert reply.code == 503, reply
    assert int(reply.headers["Retry-After"]) >= 1
    assert "memory" in reply.text
    assert server.metrics()['hearth_shed_total{action="refuse_write"}'] >= 1
    assert count_known() == len(known)
    assert server.metrics()["process_resident_memory_bytes"] < (64 << 20) * 1.25


def test_a_lower_series_limit_loses_nothing_at_a_restart(make):
    server = make().start()
    t = now_ms() - 1000
    server.must_write([series({"__name__": "s", "i": f"{i:02d}"}, [(t, 1.0)]) for i in range(15)])
    server.kill()
    again = make("--storage.max-series=10").start()
    assert again.query("count(s)")["result"][0]["value"][1] == "15"
    again.must_write([series({"__name__": "s", "i": "03"}, [(t + 1, 2.0)])])
    assert again.write([series({"__name__": "s", "i": "new"}, [(t, 1.0)])]).code == 400


@pytest.mark.parametrize("clean", [True, False])
def test_data_beyond_a_lowered_limit_stops_the_start_and_says_what_to_do(make, clean):
    server = make("--snapshot.interval=1h", "--storage.memory-limit=1GiB").start()
    t = now_ms()
    for number in range(30):
        assert fill(server, t, number).code == 204
    server.stop() if clean else server.kill()
    larger = server.flags.pop()
    server.flags.append("--storage.memory-limit=16MiB")
    server.spawn()
    assert server.process.wait(PATIENCE_SECONDS) == 1
    server.process = None
    last = server.log.splitlines()[-1]
    assert "--storage.memory-limit" in last and "16 MiB" in last, last
    server.flags[-1] = larger
    server.start()
    assert server.metrics()["prometheus_tsdb_head_series"] == 30 * SERIES_PER_REQUEST
