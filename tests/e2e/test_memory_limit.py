"""A small memory limit: writes are told to come again, queries are answered, nothing dies."""
from hearth import now_ms, series, wait_until

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


def test_at_the_limit_writes_wait_and_queries_are_answered(make):
    server = make(f"--storage.memory-limit={LIMIT_BYTES}").start()
    t = now_ms()
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
    counted = int(server.query("count(filler)")["result"][0]["value"][1])
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
    again = int(server.query("count(filler)")["result"][0]["value"][1])
    assert again >= acknowledged
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
    assert reply.code in (400, 503), reply
    assert server.query("count(s)")["result"][0]["value"][1] == "10"
    kept = [item["metric"]["i"] for item in server.query("s")["result"]]
    server.must_write([series({"__name__": "s", "i": kept[0]}, [(t + 1, 2.0)])])
