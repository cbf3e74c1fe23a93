"""A client that hangs up in the middle of a query has it cancelled: nobody waits for the answer."""
import socket
import urllib.parse

from hearth import now_ms, series, wait_until

CANCELED = 'hearth_query_killed_total{reason="canceled"}'


def send(server, path, params):
    """Ask, and do not wait for the answer."""
    client = socket.create_connection(("127.0.0.1", server.port))
    target = f"{path}?{urllib.parse.urlencode(params)}"
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: hearth\r\n\r\n".encode())
    return client


def test_who_hangs_up_has_the_query_cancelled(server):
    t_ms = now_ms()
    server.must_write([series({"__name__": "m"}, [(t_ms - 1000, 1.0)])])
    # Minutes of sorting, if it were left alone.
    text = "quantile_over_time(0.5, vector(time())[1h:10ms])"
    span = {"start": t_ms / 1000, "end": t_ms / 1000 + 10_000, "step": 1}

    def running():
        queries = server.ask("/api/v1/status/active_queries", {})
        return [q for q in queries if q["query"] == text and q["state"] == "running"]

    with send(server, "/api/v1/query_range", {"query": text, **span}):
        wait_until(running, what="the query runs")
    wait_until(lambda: not running(), what="the query is cancelled")
    assert server.metrics()[CANCELED] == 1
    assert server.query("m", t_ms / 1000)["result"]
