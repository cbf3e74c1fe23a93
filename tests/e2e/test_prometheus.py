"""A real Prometheus writes to Hearth; both are asked the same, and the answers must be equal.

Prometheus scrapes node_exporter and itself every second. Debian's is 2.42, whose range selectors
are closed on the left where 3.x (and Hearth) are open, so every question is asked at a moment at
which no sample lies on an edge: the offset within the second is put into the widest gap between the
scrapes. Values must be equal as text where both compute the same thing in the same order: EXACT.
Elsewhere (sums over series in another order, compensated in one and not in the other) they may
differ in the last bits: a relative 1e-12.
"""
import math
import time

import pytest

from hearth import LONG, by_labels, wait_until
from peers import NodeExporter, Prometheus

TRAFFIC_SECONDS = 120 if LONG else 32
SAME = 1e-12

# {N} stands for a second between samples, a whole number of seconds ago: @ needs it in the text.
EXACT = [
    'up',
    'node_cpu_seconds_total',
    'node_cpu_seconds_total{mode=~"idle|user"}',
    'node_cpu_seconds_total{mode!~"idle|user",cpu="0"}',
    '{__name__=~"node_load.*"}',
    'node_load1 offset 3s',
    'node_load1 @ {N}',
    'node_load1[5s]',
    'node_network_receive_bytes_total[7s] offset 2s',
    'node_cpu_seconds_total > 1',
    'node_cpu_seconds_total > bool 1',
    'node_memory_MemTotal_bytes - node_memory_MemFree_bytes',
    'node_memory_MemFree_bytes / node_memory_MemTotal_bytes * 100',
    'node_filesystem_avail_bytes / on(device, mountpoint, instance) node_filesystem_size_bytes',
    'node_cpu_seconds_total % 3 ^ 2',
    '-node_load1',
    'node_cpu_seconds_total and on(cpu) node_cpu_seconds_total{mode="idle"}',
    'up or vector(5)',
    'up unless up{job="node"}',
    'prometheus_build_info * on(job, instance) group_left(version) up',
    'count(node_cpu_seconds_total) by (mode)',
    'max(node_network_receive_bytes_total) without (device)',
    'min by (mode) (node_cpu_seconds_total)',
    'group(up) by (job)',
    'topk(2, node_cpu_seconds_total)',
    # Modes that never ran are all zero, and which of equals comes first nobody promises.
    'bottomk by (cpu) (1, node_cpu_seconds_total{mode=~"idle|user"})',
    'count_values("value", up)',
    'quantile(0.5, node_cpu_seconds_total)',
    'changes(node_load1[10s])',
    'resets(node_cpu_seconds_total[10s])',
    'count_over_time(up[10s])',
    'max_over_time(node_memory_MemFree_bytes[10s])',
    'min_over_time(node_memory_MemFree_bytes[10s])',
    'last_over_time(node_memory_MemFree_bytes[10s])',
    'present_over_time(up[10s])',
    'quantile_over_time(0.9, node_memory_MemFree_bytes[10s])',
    'delta(node_memory_MemFree_bytes[2s:1s])',
    'idelta(node_memory_MemFree_bytes[10s])',
    'absent(nothing_here{job="x"})',
    'absent_over_time(up[10s])',
    'abs(-node_load1)',
    'ceil(node_load1 * 10)',
    'round(node_load1, 0.1)',
    'clamp(node_load1, 0.1, 0.2)',
    'clamp_max(node_load1, 0.1)',
    'sqrt(node_load1)',
    'sgn(node_load1)',
    'label_replace(up, "port", "$1", "instance", ".*:(.*)")',
    'label_join(up, "both", "/", "job", "instance")',
    'sort_desc(node_cpu_seconds_total{mode="user"})',
    'scalar(node_load1) + time()',
    'vector(time())',
    'timestamp(up)',
    'hour(timestamp(up)) * 60 + minute(timestamp(up))',
    'day_of_week() + day_of_month() + days_in_month() + month() + year()',
    '1 + 2 * 3 - 4 / 5 % 6 ^ 7',
]
RANGE_VECTORS = {'node_load1[5s]', 'node_network_receive_bytes_total[7s] offset 2s'}
CLOSE = [
    'sum(node_cpu_seconds_total)',
    'sum by (mode) (rate(node_cpu_seconds_total[10s]))',
    'avg without (cpu) (node_cpu_seconds_total)',
    'stddev(node_cpu_seconds_total)',
    'stdvar by (cpu) (node_cpu_seconds_total)',
    'rate(node_cpu_seconds_total[10s])',
    'irate(node_network_receive_bytes_total[10s])',
    'increase(node_context_switches_total[10s])',
    'delta(node_memory_MemFree_bytes[10s])',
    'deriv(node_memory_MemFree_bytes[10s])',
    'predict_linear(node_memory_MemFree_bytes[10s], 60)',
    'avg_over_time(node_load1[10s])',
    'sum_over_time(node_load1[10s])',
    'stddev_over_time(node_memory_MemFree_bytes[10s])',
    'histogram_quantile(0.9,'
    ' rate(prometheus_http_request_duration_seconds_bucket{handler="/metrics"}[10s]))',
    'histogram_quantile(0.5, sum by (le) (prometheus_http_request_duration_seconds_bucket))',
    'max_over_time(rate(node_cpu_seconds_total[5s])[10s:1s])',
    'avg_over_time(sum(rate(node_context_switches_total[4s]))[8s:2s] offset 1s)',
    'exp(node_load1) + ln(node_load1 + 1) + log2(node_load1 + 1) + log10(node_load1 + 1)',
    '100 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[10s])) * 100',
]


@pytest.fixture
def house(make, tmp_path, programs):
    """Hearth, with a Prometheus that has been writing to it for TRAFFIC_SECONDS."""
    hearth = make("--snapshot.interval=5s").start()
    exporter = NodeExporter(tmp_path / "exporter")
    prometheus = Prometheus(tmp_path / "prometheus", {"node": exporter.port}, hearth.port)
    programs.extend([prometheus, exporter])
    exporter.start()
    prometheus.start()
    time.sleep(TRAFFIC_SECONDS)
    return hearth, prometheus


def gap_offset(prometheus):
    """The middle of the widest gap between the scrapes, in seconds after the whole second; whole
    seconds themselves must be in a gap as well, because subqueries are evaluated there."""
    data = prometheus.ask("/api/v1/query", {"query": "timestamp(up)"})
    offsets = sorted(float(item["value"][1]) % 1 for item in data["result"])
    assert len(offsets) == 2
    edges = [0.0, *offsets, 1.0]
    width, middle = max((b - a, (a + b) / 2) for a, b in zip(edges, edges[1:]))
    assert width > 0.2
    return round(middle, 3)


def is_scraped(prometheus):
    """Every target in each of the last seconds: a busy machine lets scrapes fail, and then there is
    nothing to compare."""
    for text in ("min(min_over_time(up[14s]))", "min(count_over_time(up[14s])) / 12"):
        result = prometheus.ask("/api/v1/query", {"query": text})["result"]
        if not result or float(result[0]["value"][1]) < 1:
            return False
    return True


def newest_ms(server_ask):
    result = server_ask("/api/v1/query", {"query": "min(timestamp(up))"})["result"]
    return float(result[0]["value"][1]) if result else 0


def moment(hearth, prometheus):
    """A second between samples, up to which Hearth has everything that Prometheus has."""
    wait_until(lambda: is_scraped(prometheus), 300, 0.5, "all is scraped")
    offset = gap_offset(prometheus)
    target = math.floor(time.time() - 1) + offset
    time.sleep(max(0, target + 2 - time.time()))
    wait_until(lambda: newest_ms(hearth.ask) > target + 0.5, 200,
               what="Hearth has caught up")
    return round(target, 3)


def close(a, b):
    if a == b:
        return True
    x, y = float(a), float(b)
    return (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=SAME, abs_tol=0)


def difference(mine, theirs, exact):
    """None, or what differs first."""
    if mine["resultType"] != theirs["resultType"]:
        return mine["resultType"], theirs["resultType"]
    if mine["resultType"] in ("scalar", "string"):
        return None if mine["result"] == theirs["result"] else (mine["result"], theirs["result"])
    a, b = by_labels(mine["result"]), by_labels(theirs["result"])
    if a.keys() != b.keys():
        return "series", sorted(a.keys() ^ b.keys())[:4], len(a), len(b)
    for key, points in a.items():
        if [t for t, _ in points] != [t for t, _ in b[key]]:
            return key, "times", points[:3], b[key][:3], len(points), len(b[key])
        for (t, mine_text), (_, their_text) in zip(points, b[key]):
            if mine_text != their_text and (exact or not close(mine_text, their_text)):
                return key, t, mine_text, their_text
    return None


def ask_both(hearth, prometheus, at, span):
    """All questions, instant and range; a list of the differences."""
    wrong, asked, empty = [], 0, []
    for exact, questions in ((True, EXACT), (False, CLOSE)):
        for question in questions:
            text = question.replace("{N}", f"{at - 4:.3f}")
            for path, params in (
                ("/api/v1/query", {"time": at}),
                ("/api/v1/query_range", {"start": at - span, "end": at, "step": 3}),
            ):
                if question in RANGE_VECTORS and path.endswith("range"):
                    continue  # a range vector cannot be asked over a range
                params = {"query": text, **params}
                mine, theirs = hearth.ask(path, params), prometheus.ask(path, params)
                found = difference(mine, theirs, exact)
                asked += 1
                if found:
                    wrong.append((path, text, found))
                if not theirs["result"]:
                    empty.append(text)
    assert asked >= 40
    # absent_over_time(up) has nothing to say, and that is its answer; the others must have some.
    assert set(empty) <= {"absent_over_time(up[10s])"}, empty
    return wrong


def raw(ask, at, seconds):
    """Every sample of every scrape: nothing missing, nothing doubled, no bit changed."""
    out = {}
    for job in ("node", "prometheus"):
        params = {"query": f'{{job="{job}"}}[{seconds}s]', "time": at}
        out.update(by_labels(ask("/api/v1/query", params)["result"]))
    return out


def same_samples(hearth, prometheus, at, seconds):
    mine, theirs = raw(hearth.ask, at, seconds), raw(prometheus.ask, at, seconds)
    assert len(theirs) > 500
    assert mine.keys() == theirs.keys()
    for key, points in theirs.items():
        assert mine[key] == points, key


def test_answers_are_equal_and_stay_so_across_kill_9(house):
    hearth, prometheus = house
    at = moment(hearth, prometheus)
    span = TRAFFIC_SECONDS - 20
    assert ask_both(hearth, prometheus, at, span) == []
    same_samples(hearth, prometheus, at, TRAFFIC_SECONDS - 4)

    # Three kills under traffic, the last with some seconds of absence to catch up.
    for absence in (0, 0.5, 4):
        time.sleep(2.3)
        hearth.kill()
        time.sleep(absence)
        hearth.start()
    assert ask_both(hearth, prometheus, at, span) == [], "what was there before the kills"

    at = moment(hearth, prometheus)
    assert ask_both(hearth, prometheus, at, span) == []
    same_samples(hearth, prometheus, at, TRAFFIC_SECONDS + 10)
    assert "level=error" not in hearth.log
