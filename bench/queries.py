"""The queries that are asked of each server, and how one is measured."""
import json
import statistics
import time


def over(start, end):
    """Name, kind and parameters; the range is the data's, in seconds."""
    whole = max(60, int(end - start))
    span = dict(start=f"{start:.3f}", end=f"{end:.3f}", step="60s", nocache="1")
    one = 'node_load{instance="node-00001.example.internal:9100",window="window-0"}'
    counter = 'node_cpu_seconds_total{instance="node-00001.example.internal:9100",cpu="cpu-0",mode="user"}'
    at = dict(time=f"{end:.3f}", nocache="1")
    return [
        ("instant: one series", "query", dict(at, query=one)),
        ("instant: rate of one series", "query", dict(at, query=f"rate({counter}[5m])")),
        ("range: one series raw", "query_range", dict(span, query=one, step="15s")),
        ("range: rate of one series", "query_range", dict(span, query=f"rate({counter}[5m])")),
        ("range: one host, sum by(mode)(rate)", "query_range",
         dict(span, query='sum by(mode)(rate(node_cpu_seconds_total{instance="node-00001.example.internal:9100"}[5m]))')),
        ("range: all hosts, sum by(mode)(rate)", "query_range",
         dict(span, query="sum by(mode)(rate(node_cpu_seconds_total[5m]))")),
        ("range: histogram_quantile by job", "query_range",
         dict(span, query="histogram_quantile(0.9, sum by(le, job)(rate(http_request_duration_seconds_bucket[5m])))")),
        ("range: share of each mode", "query_range",
         dict(span, query="sum by(mode)(rate(node_cpu_seconds_total[5m]) / ignoring(mode) group_left "
                          "sum without(mode)(rate(node_cpu_seconds_total[5m])))")),
        ("range: topk(5, sum by(pod))", "query_range",
         dict(span, query="topk(5, sum by(pod)(container_memory_working_set_bytes))")),
        ("instant: vector matching", "query",
         dict(at, query="http_request_duration_seconds_sum / http_request_duration_seconds_count")),
        ("instant: regex matchers", "query",
         dict(at, query='sum(node_load{instance=~"node-0000[0-9].*",window!~"window-1.*"})')),
        ("instant: count of everything", "query", dict(at, query='count({__name__=~".+"})')),
        ("instant: max_over_time, whole range", "query",
         dict(at, query=f"max(max_over_time(node_load[{whole}s]))")),
        ("instant: long subquery", "query",
         dict(at, query=f"max_over_time(sum(rate(node_cpu_seconds_total[5m]))[{whole}s:1m])")),
        ("labels", "labels", dict(start=f"{start:.0f}", end=f"{end:.0f}")),
        ("label values: instance", "label/instance/values", dict(start=f"{start:.0f}", end=f"{end:.0f}")),
        ("series: one host", "series",
         {"match[]": '{instance="node-00001.example.internal:9100"}', "start": f"{start:.0f}", "end": f"{end:.0f}"}),
    ]


def measure(server, kind, parameters, seconds):
    """CPU ms and wall ms (median) of one query, after two warm-ups."""
    path = server.query_path(kind, **parameters)
    for _ in range(2):
        code, body = server.get(path)
        if code != 200:
            return dict(error=f"{code} {body[:200]!r}")
    walls = []
    cpu = server.cpu_s()
    begin = time.monotonic()
    while time.monotonic() - begin < seconds and len(walls) < 2000:
        start = time.monotonic()
        server.get(path)
        walls.append((time.monotonic() - start) * 1000)
    cpu = (server.cpu_s() - cpu) * 1000 / len(walls)
    return dict(cpu_ms=cpu, p50_ms=statistics.median(walls), result=json.loads(body)["data"])
