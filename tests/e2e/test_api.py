"""The API as Prometheus' clients know it: shapes, texts of numbers and times, parameters."""
import gzip
import re
import urllib.parse

import pytest

from hearth import by_labels, now_ms, request, series, wait_until


@pytest.fixture
def filled(server):
    """Three series with a sample each second of the last minute, on whole seconds."""
    server.t = now_ms() // 1000 - 5
    for job, instance, factor in (("a", "one", 1), ("a", "two", 2), ("b", "one", 3)):
        labels = {"__name__": "m_total", "job": job, "instance": instance}
        samples = [((server.t - 59 + i) * 1000, float(factor * i)) for i in range(60)]
        server.must_write([series(labels, samples)])
    return server


def test_the_root_names_the_version_and_the_paths(server):
    reply = server.get("/")
    assert reply.code == 200
    assert "earth" in reply.text and "/api/v1/query" in reply.text and "/metrics" in reply.text
    assert server.ask("/api/v1/status/buildinfo", {})["version"].split("hearth.")[-1] in reply.text


def test_healthy_and_ready(server):
    for path in ("/-/healthy", "/-/ready"):
        assert server.get(path).code == 200
        head = request(server.port, "HEAD", path)
        assert head.code == 200 and head.body == b""


# --- query ----------------------------------------------------------------------------------------


def test_a_scalar(server):
    data = server.query("1+1", 4)  # 1970 is as good a time as any: Grafana asks for it
    assert data == {"resultType": "scalar", "result": [4, "2"]}


def test_a_string(server):
    assert server.query('"text"', 4) == {"resultType": "string", "result": [4, "text"]}


def test_an_empty_vector_is_a_list(server):
    assert server.query("nothing_here") == {"resultType": "vector", "result": []}
    assert server.query("nothing_here[5m]") == {"resultType": "matrix", "result": []}
    assert server.query_range("nothing_here", 0, 10, 1) == {"resultType": "matrix", "result": []}


def test_a_vector(filled):
    data = filled.query('m_total{job="b"}', filled.t)
    assert data == {
        "resultType": "vector",
        "result": [
            {
                "metric": {"__name__": "m_total", "instance": "one", "job": "b"},
                "value": [filled.t, "177"],
            }
        ],
    }


def test_a_matrix_is_left_open(filled):
    (item,) = filled.query('m_total{job="b"}[3s]', filled.t)["result"]
    assert item["values"] == [[filled.t - 2 + i, str(171 + 3 * i)] for i in range(3)]


def test_a_range(filled):
    data = filled.query_range("sum by (job) (m_total)", filled.t - 2, filled.t, 1)
    assert data["resultType"] == "matrix"
    assert by_labels(data["result"]) == {
        (("job", "a"),): [((filled.t - 2 + i) * 1000, str(171 + 3 * i)) for i in range(3)],
        (("job", "b"),): [((filled.t - 2 + i) * 1000, str(171 + 3 * i)) for i in range(3)],
    }


def test_a_range_of_a_scalar_is_a_matrix_with_one_series(server):
    data = server.query_range("2", 10, 12, 1)
    assert data == {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[10, "2"], [11, "2"], [12, "2"]]}],
    }


def test_get_post_form_and_post_with_parameters_in_the_path_are_the_same(filled):
    params = {"query": 'm_total{job="a"}', "time": filled.t}
    want = filled.get("/api/v1/query", params)
    assert filled.form("/api/v1/query", params).body == want.body
    # vmalert: parameters in the URL, empty body, a JSON content type, an unknown parameter.
    path = "/api/v1/query?step=300s&" + urllib.parse.urlencode(params)
    assert filled.post(path, b"", {"Content-Type": "application/json"}).body == want.body


def test_times_may_be_seconds_or_rfc3339_and_come_back_with_three_digits_or_none(server):
    for time, want in (
        ("1500000000", "1500000000"),
        ("1500000000.5", "1500000000.500"),
        ("1500000000.0004", "1500000000"),
        ("1500000000.001", "1500000000.001"),
        ("1.5e9", "1500000000"),
        ("-1.25", "-1.250"),
        ("2017-07-14T02:40:00Z", "1500000000"),
        ("2017-07-14T02:40:00.050Z", "1500000000.050"),
        ("2017-07-14T04:40:00+02:00", "1500000000"),
    ):
        reply = server.get("/api/v1/query", {"query": "vector(1)", "time": time})
        assert f'"value":[{want},"1"]' in reply.text, (time, reply)


def test_times_of_scalars_and_strings_have_as_many_digits_as_they_need(server):
    # In Prometheus these two are written by another function than vectors and matrices.
    for time, want in (("1500000000.5", "1500000000.5"), ("0.05", "0.05"), ("7", "7")):
        for query, value in (("1", "1"), ('"text"', "text")):
            reply = server.get("/api/v1/query", {"query": query, "time": time})
            assert f'"result":[{want},"{value}"]' in reply.text, (time, reply)


def test_steps_may_be_seconds_or_durations(server):
    for step in ("60", "60.0", "1m", "60s", "60000ms"):
        data = server.query_range("1", 0, 120, step)
        assert [t for t, _ in data["result"][0]["values"]] == [0, 60, 120]


@pytest.mark.parametrize(
    "text, want",
    [
        ("1", "1"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1/0", "+Inf"),
        ("-1/0", "-Inf"),
        ("0/0", "NaN"),
        ("-0", "-0"),
        ("100000000000000000000", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("1e-6", "0.000001"),
        ("1e-7", "1e-07"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("5m", "300"),
    ],
)
def test_numbers_are_written_as_prometheus_does(server, text, want):
    assert server.query(f"vector({text})", 0)["result"][0]["value"][1] == want
    if "e" not in want:
        assert server.query(text, 0)["result"][1] == want


def test_scalars_are_written_without_an_exponent(server):
    assert server.query("1e21", 0)["result"][1] == "1" + "0" * 21
    assert server.query("1e-7", 0)["result"][1] == "0.0000001"


def test_the_lookback_can_be_given(filled):
    assert filled.query("m_total", filled.t + 10)["result"]
    assert not filled.query("m_total", filled.t + 10, lookback_delta="5s")["result"]


def test_the_limit_cuts_and_says_so(filled):
    reply = filled.get("/api/v1/query", {"query": "m_total", "time": filled.t, "limit": 2})
    assert len(reply.json["data"]["result"]) == 2
    assert reply.json["warnings"] == ["results truncated due to limit"]
    reply = filled.get("/api/v1/query", {"query": "m_total", "time": filled.t, "limit": 3})
    assert "warnings" not in reply.json


def test_stats_are_given_when_asked_for(filled):
    stats = filled.query("sum(m_total)", filled.t, stats="true")["stats"]
    assert stats["samples"]["totalQueryableSamples"] >= 3
    assert stats["timings"]["execTotalTime"] >= 0
    assert "nodes" not in stats
    assert "stats" not in filled.query("sum(m_total)", filled.t)


def test_all_stats_have_those_of_each_node(filled):
    stats = filled.query("sum(m_total)", filled.t, stats="all")["stats"]
    total, selector = stats["nodes"]
    assert (total["depth"], total["expr"]) == (0, "sum(m_total)")
    assert (selector["depth"], selector["expr"]) == (1, "m_total")
    assert (total["series"], total["values"], selector["series"]) == (1, 1, 3)
    assert selector["samplesRead"] == stats["samples"]["samplesRead"]
    assert "totalQueryableSamplesPerStep" not in stats["samples"]
    assert total["time"] >= selector["time"] >= 0


def test_steps_are_counted_when_that_is_turned_on(make):
    server = make("--enable-feature=promql-per-step-stats").start()
    t = now_ms() // 1000 - 60
    server.must_write([series({"__name__": "m"}, [((t + k * 10) * 1000, k) for k in range(5)])])
    samples = server.query("m", t, stats="all")["stats"]["samples"]
    assert samples["totalQueryableSamplesPerStep"] == [[t, 1]]
    window = (t, t + 40, 20)
    samples = server.query_range("sum_over_time(m[20s])", *window, stats="all")["stats"]["samples"]
    assert samples["totalQueryableSamplesPerStep"] == [[t, 1], [t + 20, 2], [t + 40, 2]]
    assert samples["totalQueryableSamples"] == 5 and samples["samplesRead"] == 5
    samples = server.query_range("m", *window, stats="true")["stats"]["samples"]
    assert "totalQueryableSamplesPerStep" not in samples


def test_other_words_for_stats_are_warned_of(filled):
    reply = filled.get("/api/v1/query", {"query": "m_total", "time": filled.t, "stats": "some"})
    assert reply.json["data"]["stats"]["samples"]["totalQueryableSamples"] == 3
    assert reply.json["warnings"][0].startswith('value "some" for parameter "stats" is deprecated')


# --- labels and series ----------------------------------------------------------------------------


def test_labels_and_their_values(filled):
    assert filled.ask("/api/v1/labels", {}) == ["__name__", "instance", "job"]
    assert filled.form("/api/v1/labels", {}).json["data"] == ["__name__", "instance", "job"]
    assert filled.ask("/api/v1/label/job/values", {}) == ["a", "b"]
    assert filled.ask("/api/v1/label/__name__/values", {}) == ["m_total"]
    assert filled.ask("/api/v1/label/none/values", {}) == []
    one = {"match[]": 'm_total{job="b"}'}
    assert filled.ask("/api/v1/label/instance/values", one) == ["one"]
    assert filled.ask("/api/v1/labels", {"match[]": "nothing"}) == []
    old = {"end": filled.t - 24 * 3600, "start": filled.t - 25 * 3600}
    assert filled.ask("/api/v1/label/job/values", old) == []
    assert filled.get("/api/v1/label/job/values", {"limit": 1}).json["data"] == ["a"]


def test_series_by_get_and_post(filled):
    params = {"match[]": ['m_total{job="a"}', 'm_total{instance="one"}']}
    found = filled.ask("/api/v1/series", params)
    assert sorted(s["job"] + s["instance"] for s in found) == ["aone", "atwo", "bone"]
    assert all(s["__name__"] == "m_total" for s in found)
    assert filled.form("/api/v1/series", params).json["data"] == found


# --- status ---------------------------------------------------------------------------------------


def test_buildinfo(server):
    data = server.ask("/api/v1/status/buildinfo", {})
    assert re.fullmatch(r"3\.\d+\.\d+(\+[0-9A-Za-z.-]+)?", data["version"])  # strict semver
    for key in ("revision", "branch", "buildUser", "buildDate", "goVersion"):
        assert key in data
    assert not data.get("features"), "Grafana would take it for another product"


def test_flags_runtimeinfo_and_tsdb(filled):
    flags = filled.ask("/api/v1/status/flags", {})
    assert flags["storage.windows"] == "8"
    assert all(isinstance(value, str) and not key.startswith("-") for key, value in flags.items())
    runtime = filled.ask("/api/v1/status/runtimeinfo", {})
    for key in ("startTime", "CWD", "reloadConfigSuccess", "corruptionCount", "storageRetention"):
        assert key in runtime
    tsdb = filled.ask("/api/v1/status/tsdb", {})
    assert tsdb["headStats"]["numSeries"] == 3
    assert tsdb["headStats"]["maxTime"] == filled.t * 1000
    assert tsdb["headStats"]["minTime"] == (filled.t - 59) * 1000
    assert tsdb["seriesCountByMetricName"] == [{"name": "m_total", "value": 3}]
    assert {"name": "job=a", "value": 2} in tsdb["seriesCountByLabelValuePair"]
    assert {"name": "instance", "value": 2} in tsdb["labelValueCountByLabelName"]
    assert tsdb["memoryInBytesByLabelName"]
    assert [row["name"] for row in tsdb["memoryInBytesByMetricName"]] == ["m_total"]
    assert tsdb["memoryInBytesByMetricName"][0]["value"] > 3 * 128


# --- metrics --------------------------------------------------------------------------------------


def test_metrics_tell_what_was_written(filled):
    reply = filled.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    numbers = filled.metrics()
    assert numbers["prometheus_tsdb_head_series"] == 3
    assert sum(v for n, v in numbers.items() if "head_samples_appended_total" in n) == 180
    for name in (
        "go_memstats_alloc_bytes go_memstats_heap_inuse_bytes go_memstats_heap_released_bytes"
        " go_memstats_sys_bytes go_memstats_mallocs_total go_memstats_frees_total"
        " process_resident_memory_bytes process_cpu_seconds_total process_open_fds"
        " process_start_time_seconds prometheus_tsdb_head_chunks"
        " prometheus_tsdb_lowest_timestamp_seconds"
    ).split():
        assert name in numbers, name


def test_the_memory_numbers_add_up(filled):
    m = {n.removeprefix("go_memstats_"): v for n, v in filled.metrics().items()}
    assert m["heap_sys_bytes"] == m["heap_inuse_bytes"] + m["heap_idle_bytes"]
    assert m["heap_released_bytes"] <= m["heap_idle_bytes"]
    assert m["heap_alloc_bytes"] <= m["heap_inuse_bytes"]
    assert m["mallocs_total"] - m["frees_total"] == m["heap_objects"]


# --- conventions ----------------------------------------------------------------------------------


def test_large_answers_are_compressed_when_asked(filled):
    plain = filled.get("/metrics")
    packed = filled.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.body) < len(plain.body)
    assert b"prometheus_tsdb_head_series 3" in gzip.decompress(packed.body)


def test_scripts_of_other_origins_may_call(server):
    reply = server.get("/api/v1/labels", headers={"Origin": "http://elsewhere"})
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    preflight = request(server.port, "OPTIONS", "/api/v1/query", headers={"Origin": "http://x"})
    assert preflight.code == 204
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


def test_a_write_is_seen_by_the_next_query_and_leaves_no_body(server):
    t = now_ms()
    reply = server.must_write([series({"__name__": "seen"}, [(t, 42.0)])])
    assert reply.body == b""
    assert server.query("seen")["result"][0]["value"][1] == "42"


def test_many_clients_at_once(server):
    from concurrent.futures import ThreadPoolExecutor

    t = now_ms() - 60_000

    def client(number):
        labels = {"__name__": "many", "client": str(number)}
        for i in range(20):
            server.must_write([series(labels, [(t + i, float(i))])])
            assert server.query(f'count(many{{client="{number}"}})')["result"]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(client, n) for n in range(8)]:
            done.result()
    points = server.points("many")
    assert len(points) == 8
    assert all(p == [(t + i, str(i)) for i in range(20)] for p in points.values())


def test_a_restart_keeps_everything(filled):
    want = filled.points("m_total", 600, filled.t + 1)
    assert filled.stop() == 0
    filled.start()
    assert filled.points("m_total", 600, filled.t + 1) == want
    wait_until(lambda: filled.metrics()["prometheus_tsdb_head_series"] == 3, 10)
