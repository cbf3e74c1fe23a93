"""Prometheus' own command line tool as the client."""
import subprocess

import pytest

from hearth import PATIENCE_SECONDS, needs, now_ms, series


def promtool(*words, **more):
    run = subprocess.run(
        [needs("promtool"), *words],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, **more,
    )  # fmt: skip
    assert run.returncode == 0, (words, run.stdout, run.stderr)
    return run.stdout


@pytest.fixture
def filled(server):
    server.t = now_ms() // 1000 - 5
    server.url = f"http://127.0.0.1:{server.port}"
    for job in ("a", "b"):
        samples = [((server.t - 59 + i) * 1000, float(i)) for i in range(60)]
        server.must_write([series({"__name__": "m_total", "job": job}, samples)])
    return server


def test_query_instant(filled):
    out = promtool("query", "instant", f"--time={filled.t}", filled.url, "sum(rate(m_total[10s]))")
    assert out == f"{{}} => 2 @[{filled.t}]\n"
    out = promtool("query", "instant", f"--time={filled.t}", filled.url, "m_total{job='b'}")
    assert out == f'm_total{{job="b"}} => 59 @[{filled.t}]\n'


def test_query_instant_as_json(filled):
    out = promtool("query", "instant", "-o", "json", filled.url, "vector(1)")
    assert '"value"' in out and '"1"' in out


def test_query_range(filled):
    start, end = f"--start={filled.t - 2}", f"--end={filled.t}"
    out = promtool("query", "range", start, end, "--step=1s", filled.url, "m_total{job='a'}")
    assert out.splitlines() == [
        'm_total{job="a"} =>',
        *(f"{57 + i} @[{filled.t - 2 + i}]" for i in range(3)),
    ]


def test_query_series(filled):
    out = promtool(
        "query", "series", "--match=m_total", f"--start={filled.t - 60}", f"--end={filled.t}",
        filled.url,
    )  # fmt: skip
    assert sorted(out.splitlines()) == [f'{{__name__="m_total", job="{job}"}}' for job in "ab"]


def test_query_labels(filled):
    out = promtool(
        "query", "labels", f"--start={filled.t - 60}", f"--end={filled.t}", filled.url, "job"
    )
    assert out.split() == ["a", "b"]


def test_metrics_have_nothing_to_complain_about(filled):
    metrics = filled.get("/metrics").text
    assert promtool("check", "metrics", input=metrics) == ""
