"""What others may send by mistake or on purpose: the answer, what is stored, and life after."""
import socket
import struct

import pytest
import snappy

from hearth import (
    PATIENCE_SECONDS, by_labels, field, label, now_ms, sample, series, varint, write_body,
)  # fmt: skip

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def alive(server):
    """The server, which must still take and give back a sample when the test is over."""
    yield server
    goes_on(server)


def goes_on(server):
    t = now_ms()
    server.must_write([series({"__name__": "still_alive"}, [(t, 1.0)])])
    assert server.query("still_alive")["result"][0]["value"][1] == "1"


def names(server):
    return server.ask("/api/v1/label/__name__/values", {})


def good(name="good", t=None, value=1.0):
    return series({"__name__": name}, [(t or now_ms(), value)])


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello, this is not snappy",
        b"\xff" * 64,
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        write_body([good()])[:-3],
        write_body([good()]) + b"more",
        b"\x80\x80\x80\x80\x01" + b"\x00" * 20,  # declares 256 MiB
        b"\xff\xff\xff\xff\x0f",  # declares 4 GiB - 1
        varint((32 << 20) + 1) + b"\xfe\x01\x00" * 100,  # one byte over the limit
    ],
    ids=["empty", "text", "ones", "endless length", "cut", "longer", "256M", "4G", "limit + 1"],
)
def test_a_body_that_is_not_snappy_or_too_long_is_400(alive, body):
    reply = alive.write_raw(body)
    if body == b"":
        assert reply.code in (204, 400)  # an empty body may count as an empty request
    else:
        assert reply.code == 400, reply
        assert reply.text.strip(), "the answer says why"
    assert names(alive) == []


def test_a_snappy_bomb_is_400_and_costs_no_memory(alive):
    before = alive.metrics()["go_memstats_heap_sys_bytes"]
    bomb = snappy.compress(b"\x00" * (200 << 20))
    assert len(bomb) < 32 << 20
    assert alive.write_raw(bomb).code == 400
    assert alive.metrics()["go_memstats_heap_sys_bytes"] < before + (64 << 20)


@pytest.mark.parametrize("size", [(32 << 20) + 1, 40 << 20])
def test_a_body_over_32_mib_is_413(alive, size):
    head = (
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Encoding: snappy\r\n"
        f"Content-Type: application/x-protobuf\r\nContent-Length: {size}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", alive.port), timeout=PATIENCE_SECONDS) as s:
        try:
            s.sendall(head.encode() + b"\x00" * size)
        except OSError:
            pass  # it need not listen to the end; its answer must arrive all the same
        assert b" 413 " in s.recv(4096).split(b"\r\n")[0]


def test_an_announced_length_over_the_limit_is_refused_before_the_body(alive):
    head = (
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Encoding: snappy\r\n"
        "Content-Type: application/x-protobuf\r\nContent-Length: 4294967296\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", alive.port), timeout=PATIENCE_SECONDS) as s:
        s.sendall(head.encode())
        assert b" 413 " in s.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "application/json"},
        {"Content_Type": "image/png"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-protobuf;proto=nobody.knows.Request"},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "deflate"},
        {"Content_Encoding": "zstd"},
    ],
    ids=lambda h: list(h.values())[0],
)
def test_a_wrong_type_or_encoding_is_415_whatever_the_body(alive, headers):
    assert alive.write_raw(write_body([good()]), **headers).code == 415
    assert alive.write_raw(b"\xffrubbish", **headers).code == 415
    assert names(alive) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content_Type": None},
        {"Content_Type": "application/x-protobuf;proto=prometheus.WriteRequest"},
        {"Content_Encoding": None},
    ],
    ids=["usual", "no type", "with proto", "no encoding"],
)
def test_types_that_prometheus_takes(alive, headers):
    assert alive.write_raw(write_body([good()]), **headers).code == 204
    assert names(alive) == ["good"]


def message(*parts):
    return snappy.compress(b"".join(parts))


@pytest.mark.parametrize(
    "payload",
    [
        good()[:-1],
        b"\x0a",  # a field without its length
        b"\x0a\x7f" + b"x",  # shorter than it says
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of 2^64 - 1
        b"\x0b" + b"\x00" * 8,  # a group, which proto3 has not
        b"\x00\x00",  # field number 0
        field(1, field(1, b"\x0a\x05ab")),  # a label cut inside a series
        field(1, label("__name__", "x") + field(2, b"\x09\x00\x00")),  # a sample cut
        b"\x08" * 1000,
    ],
    ids=[
        "cut", "no length", "too short", "huge length", "group", "field 0", "label cut",
        "sample cut", "varints",
    ],
)  # fmt: skip
def test_a_hostile_protobuf_is_400_and_stores_nothing_of_the_broken_part(alive, payload):
    reply = alive.write_raw(message(payload))
    assert reply.code == 400, reply
    assert names(alive) == []


def test_unknown_fields_are_skipped(alive):
    t = now_ms()
    unknown = field(15, b"future") + b"\x80\x01\x05"  # and number 16, a varint
    body = field(1, label("__name__", "known") + unknown + sample(t, 2.0))
    assert alive.write_raw(message(unknown, body)).code == 204
    assert alive.points("known") == {(("__name__", "known"),): [(t, "2")]}


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pairs, named",
    [
        ([], ""),
        ([("job", "no name")], "no name"),
        ([("__name__", "")], ""),
        ([("__name__", "a"), ("", "empty")], ""),
        ([("__name__", "a"), ("x", "1"), ("x", "2")], "x"),
        ([("__name__", "a"), ("x", "1"), ("x", "1")], "x"),
        ([("__name__", "a"), ("__name__", "b")], "__name__"),
        ([("__name__", "a"), ("x", b"\xff\xfe")], "x"),
        ([("__name__", b"\xc3\x28")], ""),
        ([("__name__", "a"), (b"\xf5x", "1")], ""),
    ],
    ids=[
        "none", "no name", "empty name", "empty label name", "twice", "twice the same",
        "name twice", "value not UTF-8", "name not UTF-8", "label name not UTF-8",
    ],
)  # fmt: skip
def test_bad_labels_are_400_and_named_and_the_good_series_are_stored(alive, pairs, named):
    t = now_ms()
    reply = alive.write([good("before", t), series(pairs, [(t, 1.0)]), good("behind", t)])
    assert reply.code == 400, reply
    assert named in reply.text
    assert names(alive) == ["before", "behind"]


def test_labels_in_any_order_and_empty_values_are_fine(alive):
    t = now_ms()
    pairs = [("z", "1"), ("__name__", "m"), ("empty", ""), ("a", "2")]
    assert alive.write([series(pairs, [(t, 1.0)])]).code == 204
    assert list(alive.points("m")) == [(("__name__", "m"), ("a", "2"), ("z", "1"))]


def test_utf8_names_are_kept(alive):
    labels = {"__name__": "resource.cpu usage", "http.status": 'é\n"\\'}
    alive.must_write([series(labels, [(now_ms(), 1.0)])])
    result = alive.query('{"resource.cpu usage"}')["result"]
    assert result[0]["metric"] == labels


# --- times and values -----------------------------------------------------------------------------


def test_samples_out_of_bounds_are_400_counted_and_the_good_ones_stored(alive):
    t = now_ms()
    far_past, far_future = t - 40 * HOUR_MS, t + 11 * MINUTE_MS
    before = alive.metrics()
    reply = alive.write(
        [
            series({"__name__": "m", "i": "0"}, [(far_past, 1.0), (t - 1000, 2.0), (t, 3.0)]),
            series({"__name__": "m", "i": "1"}, [(t, 4.0), (far_future, 5.0)]),
        ]
    )
    assert reply.code == 400, reply
    assert alive.points("m", 32 * 3600, (t + HOUR_MS) / 1000) == {
        (("__name__", "m"), ("i", "0")): [(t - 1000, "2"), (t, "3")],
        (("__name__", "m"), ("i", "1")): [(t, "4")],
    }
    after = alive.metrics()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    old = [n for n in grown if "write_samples" in n and "too_old" in n]
    new = [n for n in grown if "write_samples" in n and ("future" in n or "too_new" in n)]
    assert [grown[n] for n in old] == [1] and [grown[n] for n in new] == [1], (old, new)


def test_a_sample_a_little_ahead_of_the_clock_is_stored(alive):
    t = now_ms() + 9 * MINUTE_MS
    alive.must_write([good("ahead", t)])
    assert alive.points("ahead", 60, t / 1000 + 1) == {(("__name__", "ahead"),): [(t, "1")]}


def test_late_samples_are_stored_in_order(alive):
    t = now_ms()
    times = [t, t - 5000, t - 31 * HOUR_MS // 2, t - 1000, t - 3000]
    for i, at in enumerate(times):
        alive.must_write([good("late", at, float(i))])
    want = sorted((at, str(i)) for i, at in enumerate(times))
    assert alive.points("late", 30 * 3600) == {(("__name__", "late"),): want}


def test_the_same_sample_again_is_fine_another_value_is_400(alive):
    t = now_ms()
    alive.must_write([good("again", t, 1.0)])
    alive.must_write([good("again", t, 1.0)])
    assert alive.write([good("again", t, 2.0), good("other", t, 3.0)]).code == 400
    assert alive.points("again") == {(("__name__", "again"),): [(t, "1")]}
    assert alive.points("other") == {(("__name__", "other"),): [(t, "3")]}


def test_special_values_come_back(alive):
    t = now_ms() - 10_000
    values = [float("inf"), float("-inf"), float("nan"), -0.0, 5e-324, 1.7976931348623157e308, 1e21]
    alive.must_write([series({"__name__": "v"}, [(t + i, v) for i, v in enumerate(values)])])
    (points,) = alive.points("v").values()
    texts = [text for _, text in points]
    assert texts[:4] == ["+Inf", "-Inf", "NaN", "-0"]
    assert [float(x) for x in texts[4:]] == values[4:]
    assert texts[-1] == "1e+21"


def test_a_stale_marker_ends_the_series_at_once(alive):
    t = now_ms() - 10_000
    stale = 0x7FF0000000000002
    alive.must_write([series({"__name__": "s"}, [(t, 1.0), (t + 1000, stale)])])
    assert len(alive.query("s", (t + 500) / 1000)["result"]) == 1
    assert alive.query("s", (t + 1500) / 1000)["result"] == []
    assert alive.points("s") == {(("__name__", "s"),): [(t, "1")]}


# --- queries --------------------------------------------------------------------------------------


def refused(reply, code, error_type):
    assert reply.code == code, reply
    body = reply.json
    assert body["status"] == "error"
    assert body["errorType"] == error_type, body
    assert "data" not in body or body["data"] is None
    assert reply.headers["Content-Type"].startswith("application/json")
    return body["error"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("up{", "1:4: parse error"),
        ("1 +", "1:4: parse error"),
        ("sum(", "parse error"),
        ("up[5m", "parse error"),
        ("no_such_function(up)", 'unknown function with name "no_such_function"'),
        ("rate(up)", "expected type range vector"),
        ("{}", "parse error"),
        ('{a=""}', "at least one non-empty matcher"),
        ('up{a=~"("}', "parse error"),
        ("up offset", "parse error"),
        ("", "parse error"),
        ("(" * 5000 + "1" + ")" * 5000, ""),
        ("-" * 5000 + "1", ""),
    ],
)
def test_a_query_that_does_not_parse_is_bad_data_with_a_position(alive, text, said):
    error = refused(alive.form("/api/v1/query", {"query": text}), 400, "bad_data")
    assert said in error
    assert 'invalid parameter "query"' in error


def test_missing_and_malformed_parameters_are_bad_data(alive):
    q, r = "/api/v1/query", "/api/v1/query_range"
    span = {"query": "1", "start": 0, "end": 10, "step": 1}
    assert '"query"' in refused(alive.get(q), 400, "bad_data")
    assert '"time"' in refused(alive.get(q, {"query": "1", "time": "noon"}), 400, "bad_data")
    assert '"timeout"' in refused(alive.get(q, {"query": "1", "timeout": "x"}), 400, "bad_data")
    assert '"start"' in refused(alive.get(r, {**span, "start": "x"}), 400, "bad_data")
    assert '"end"' in refused(alive.get(r, {**span, "end": "x"}), 400, "bad_data")
    assert '"step"' in refused(alive.get(r, {**span, "step": "x"}), 400, "bad_data")
    error = refused(alive.get(r, {**span, "end": -1}), 400, "bad_data")
    assert "end timestamp must not be before start time" in error
    for step in (0, -5):
        error = refused(alive.get(r, {**span, "step": step}), 400, "bad_data")
        assert "zero or negative query resolution step widths are not accepted" in error
    refused(alive.get(r, {**span, "query": '"text"'}), 400, "bad_data")


def test_11000_points_are_answered_11001_refused(alive):
    span = {"query": "1", "start": 0, "step": 1}
    data = alive.ask("/api/v1/query_range", {**span, "end": 11_000})
    assert len(data["result"][0]["values"]) == 11_001  # the limit counts steps, as upstream's
    error = refused(alive.get("/api/v1/query_range", {**span, "end": 11_001}), 400, "bad_data")
    assert error == (
        "exceeded maximum resolution of 11,000 points per timeseries."
        " Try decreasing the query resolution (?step=XX)"
    )


def test_execution_errors_are_422(alive):
    t = now_ms()
    alive.must_write(
        [series({"__name__": "m", "a": a, "b": "1"}, [(t, 1.0)]) for a in ("1", "2")]
    )
    get = lambda text: alive.get("/api/v1/query", {"query": text})
    assert "many-to-many" in refused(get("m * on(b) m"), 422, "execution")
    error = refused(get('label_replace(m, "a", "x", "", "")'), 422, "execution")
    assert "same labelset" in error
    refused(get('label_replace(m, "a", "x", "b", "(")'), 422, "execution")


def test_too_many_samples_are_422(make):
    server = make("--query.max-samples=100").start()
    t = now_ms()
    server.must_write([series({"__name__": "m"}, [(t - i * 10, 1.0) for i in range(200, 0, -1)])])
    error = refused(server.get("/api/v1/query", {"query": "m[1m]"}), 422, "execution")
    assert "too many samples" in error
    (item,) = server.query("count_over_time(m[500ms])", (t - 1000) / 1000)["result"]
    assert item["value"][1] == "50"


def test_a_deadline_is_503_timeout(alive):
    t = now_ms() - HOUR_MS
    for i in range(10):
        alive.must_write(
            [series({"__name__": "m", "i": str(i)}, [(t + k * 100, float(k)) for k in range(4000)])]
        )
    slow = "sum(sum_over_time(m[10m:100ms])) + sum(sum_over_time(m[10m:101ms]))"
    params = {"query": slow, "start": t / 1000, "end": t / 1000 + 3600, "step": 1, "timeout": "1ms"}
    error = refused(alive.get("/api/v1/query_range", params), 503, "timeout")
    assert "timed out" in error


# --- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v2/query", "/metrics/x"])
def test_an_unknown_path_is_404(alive, path):
    assert alive.get(path).code == 404


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/api/v1/write"),
        ("PUT", "/api/v1/query"),
        ("DELETE", "/api/v1/query_range"),
        ("POST", "/api/v1/label/job/values"),
        ("POST", "/api/v1/status/buildinfo"),
        ("POST", "/metrics"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(alive, method, path):
    from hearth import request

    reply = request(alive.port, method, path)
    assert reply.code == 405, reply
    assert reply.headers["Allow"]


def test_an_invalid_label_name_is_400(alive):
    refused(alive.get("/api/v1/label/%ff/values"), 400, "bad_data")


def test_series_needs_a_matcher(alive):
    assert "no match[] parameter provided" in refused(alive.get("/api/v1/series"), 400, "bad_data")
    refused(alive.get("/api/v1/series", {"match[]": "{"}), 400, "bad_data")
    refused(alive.get("/api/v1/series", {"match[]": '{a=""}'}), 400, "bad_data")
    refused(alive.get("/api/v1/labels", {"match[]": "up["}), 400, "bad_data")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"rubbish\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 200_000 + b"\r\n\r\n",
        struct.pack(">II", 0x16030100, 0xDEADBEEF) * 10,  # somebody tries TLS
    ],
    ids=["blank", "rubbish", "length", "two lengths", "chunk", "long path", "long header", "tls"],
)
def test_bytes_that_are_no_http_do_no_harm(make, raw):
    server = make("--web.read-timeout=1s").start()  # what looks unfinished is waited for
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as s:
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            answer = s.recv(4096)
        except OSError:
            answer = b""
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    goes_on(server)


def test_a_connection_that_breaks_off_stores_nothing(alive):
    body = write_body([good("half")])
    head = f"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", alive.port), timeout=PATIENCE_SECONDS) as s:
        s.sendall(head.encode() + body[:-5])
    assert names(alive) == []


def test_answers_never_repeat_a_series(alive):
    t = now_ms()
    alive.must_write([good("once", t), good("once", t), good("once", t + 1)])
    by_labels(alive.query("{__name__=~'.+'}")["result"])
