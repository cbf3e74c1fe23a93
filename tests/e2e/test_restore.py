"""A start: what is answered before the data is there; and snapshots that can be started on."""
import http.client
import os
import shutil
import signal
import time
import urllib.parse

import pytest
import snappy

from crash import INSTRUMENTED
from faults import Faults
from hearth import (
    BINARY, LONG, PATIENCE_SECONDS, Hearth, field, label, now_ms, request, sample, series,
    wait_until,
)  # fmt: skip

REFUSED = (
    "/-/ready",
    "/api/v1/query?query=up",
    "/api/v1/query_range?query=up&start=0&end=10&step=1",
    "/api/v1/labels",
    "/api/v1/series?match[]=up",
    "/api/v1/label/job/values",
    "/api/v1/status/tsdb",
    "/api/v1/status/buildinfo",
    "/api/v1/admin/tsdb/snapshot",
)


def some_series(t_ms, count=50):
    def samples(i):
        return [(t_ms - 15000 * k, float(i * k)) for k in range(9, -1, -1)]

    return [series({"__name__": "m", "i": str(i)}, samples(i)) for i in range(count)]


def answers(server):
    assert server.process.poll() is None, server.log
    try:
        return server.get("/-/healthy", timeout=5)
    except (OSError, http.client.HTTPException):
        return None


def expect_restoring(server, t_ms):
    for path in REFUSED:
        reply = server.get(path)
        assert reply.code == 503, (path, reply)
        assert "restored" in reply.text, (path, reply)
        assert int(reply.headers["Retry-After"]) > 0
    reply = server.write(some_series(t_ms, 1))
    assert reply.code == 503 and int(reply.headers["Retry-After"]) > 0
    assert server.get("/-/healthy").code == 200
    progress = server.ask("/api/v1/status/walreplay", {})
    assert set(progress) == {"min", "max", "current", "restoredBytes", "totalBytes"}
    assert 0 < progress["min"] <= progress["current"] <= progress["max"]
    assert 0 <= progress["restoredBytes"] < progress["totalBytes"]


@pytest.mark.parametrize("clean", [True, False])
def test_before_the_data_is_there_nothing_is_answered_as_if_it_were(tmp_path, clean):
    """The disk stands still until it has been seen."""
    server = Hearth(tmp_path)
    faults = Faults(tmp_path / "faults", under=server.data)
    t_ms = now_ms()
    try:
        server.start()
        server.must_write(some_series(t_ms))
        before = server.points("m")
        assert server.signal(signal.SIGTERM if clean else signal.SIGKILL) is not None
        server.env = faults.environment(BINARY)
        faults.set(f"op=read path={'windows' if clean else 'wal'} hold=1")
        server.spawn()
        wait_until(lambda: answers(server), what="the server answers")
        expect_restoring(server, t_ms)
        faults.set("")
        wait_until(server.is_ready, PATIENCE_SECONDS, what="the server is ready")
        assert faults.changed()["read"] > 0
        assert server.points("m") == before
        server.must_write(some_series(now_ms(), 1))
    finally:
        server.end()


def test_progress_is_told_within_one_segment_and_within_windows(tmp_path):
    server = Hearth(tmp_path, "--snapshot.interval=1h", "--web.enable-admin-api")
    faults = Faults(tmp_path / "faults", under=server.data)
    try:
        server.start()

        def fill(name):
            for i in range(30):
                text = os.urandom(50_000).hex()
                texts = {"text": text[:60_000], "more": text[60_000:]}
                labels = {"__name__": name, "i": str(i), **texts}
                server.must_write([series(labels, [(now_ms(), 1.0)])])

        fill("window")
        assert server.post("/api/v1/admin/tsdb/snapshot").code == 200
        fill("log")
        server.kill()
        server.env = faults.environment(BINARY)
        faults.set("op=read path=windows delay=50", "op=read path=wal delay=200")
        server.spawn()
        wait_until(lambda: answers(server), what="the server answers")
        seen = set()
        while not server.is_ready():
            progress = server.ask("/api/v1/status/walreplay", {})
            assert progress["restoredBytes"] <= progress["totalBytes"]
            seen.add(progress["restoredBytes"])
        assert len(seen) >= 6, seen
        progress = server.ask("/api/v1/status/walreplay", {})
        assert progress["restoredBytes"] == progress["totalBytes"] > 2 * 30 * 50_000
        lines = [line for line in server.log.splitlines() if 'msg="replaying"' in line]
        assert lines and "offset=" in lines[0], server.log
    finally:
        server.end()


# --- memory ---------------------------------------------------------------------------------------

SERIES, ROUNDS = 100_000, 30 if LONG else 2
PER_REQUEST, PER_ROUND = 1000, 2
OVER_MAX = 1.05


def resident(server, key):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(key))


def body(first, t_ms, offset):
    head = label("__name__", "memory") + label("job", f"job-{first % 7}")
    values = b"".join(sample(t_ms + 15000 * k, offset + 0.25 * k) for k in range(PER_ROUND))
    parts = []
    for i in range(first, first + PER_REQUEST):
        parts.append(field(1, head + label("pod", f"some-pod-with-a-name-{i:06d}") + values))
    return snappy.compress(b"".join(parts))


@pytest.mark.skipif(INSTRUMENTED, reason="its memory is that of the sanitizer")
@pytest.mark.parametrize("clean", [True, False])
def test_a_start_takes_little_more_memory_than_was_taken_before(make, clean):
    """The most that is resident in a start, from a snapshot or from the log alone, against what the
    server before had when it came to rest."""
    server = make().start()
    t_ms = now_ms()
    for k in range(ROUNDS, 0, -1):
        for first in range(0, SERIES, PER_REQUEST):
            sent = body(first, t_ms - 15000 * PER_ROUND * k, first + 10.0 * k)
            assert server.write_raw(sent).code == 204
    before = resident(server, "VmRSS")
    if clean:
        server.stop()
    else:
        server.kill()
    server.start()
    peak, after = resident(server, "VmHWM"), resident(server, "VmRSS")
    print(f"{peak / before:.3f} of {before / 1e6:.1f} MB at most, {after / before:.3f} then")
    assert peak <= OVER_MAX * before
    assert server.query("count(memory)")["result"][0]["value"][1] == str(SERIES)


# --- snapshots ------------------------------------------------------------------------------------

SNAPSHOT = "/api/v1/admin/tsdb/snapshot"


def test_a_server_that_is_started_on_a_snapshot_answers_the_same(tmp_path):
    server = Hearth(tmp_path / "one", "--web.enable-admin-api")
    copy = Hearth(tmp_path / "two")
    t_ms = now_ms()
    try:
        server.start()
        server.must_write(some_series(t_ms))
        reply = server.post(SNAPSHOT)
        assert reply.code == 200, reply
        assert reply.json["status"] == "success"
        name = reply.json["data"]["name"]
        time.strptime(name.split("-")[0], "%Y%m%dT%H%M%SZ")
        folder = server.data / "snapshots" / name
        assert sorted(p.name for p in folder.parent.iterdir()) == [name]
        before = server.points("m")
        server.must_write([series({"__name__": "later"}, [(now_ms(), 1.0)])])
        copy.flags.append(f"--storage.path={folder}")
        copy.start()
        assert copy.points("m") == before
        assert copy.points("later") == {}
        copy.must_write([series({"__name__": "m", "i": "new"}, [(now_ms(), 1.0)])])
        again = request(server.port, "PUT", SNAPSHOT + "?skip_head=true")
        assert again.code == 200 and again.json["data"]["name"] != name
    finally:
        server.end()
        copy.end()


def test_snapshots_that_are_asked_for_are_counted(make):
    server = make("--web.enable-admin-api", "--snapshot.interval=1h").start()
    server.must_write(some_series(now_ms()))
    before = server.metrics()
    assert server.post(SNAPSHOT).code == 200
    after = server.metrics()
    assert after["hearth_snapshots_total"] == before["hearth_snapshots_total"] + 1
    assert after["hearth_snapshot_last_timestamp_seconds"] >= now_ms() / 1000 - 60
    assert after["hearth_snapshot_duration_seconds"] > 0
    folder = server.data / "snapshots"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    reply = server.post(SNAPSHOT)
    assert reply.code == 503 and "snapshots is not a folder" in reply.json["error"], reply
    assert server.metrics()["hearth_snapshot_failures_total"] == 1


def test_damage_of_every_kind_is_counted_where_alerts_see_it(make):
    server = make("--web.enable-admin-api", "--snapshot.interval=1h", "--wal.segment-size=64KiB")
    server.start()
    server.must_write(some_series(now_ms()))
    assert server.post(SNAPSHOT).code == 200
    for i in range(60):  # several segments
        server.must_write([series({"__name__": "n", "i": f"{i} {'x' * 9000}"}, [(now_ms(), 1.0)])])
    server.kill()
    segments = sorted((server.data / "wal").iterdir())
    segments[len(segments) // 2].unlink()
    (window,) = (server.data / "windows").iterdir()
    damaged = bytearray(window.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    window.write_bytes(damaged)
    server.start()
    metrics = server.metrics()
    assert metrics["prometheus_tsdb_wal_corruptions_total"] == 0
    assert metrics["hearth_wal_lost_batches_total"] > 0
    assert metrics["hearth_snapshot_corruptions_total"] > 0
    assert window.name in server.log and segments[len(segments) // 2 + 1].name in server.log


def test_snapshots_have_to_be_allowed_and_asked_for_rightly(tmp_path):
    server = Hearth(tmp_path)
    try:
        server.start()
        for name in ("snapshot", "delete_series", "clean_tombstones"):
            path = f"/api/v1/admin/tsdb/{name}"
            reply = server.post(path)
            assert reply.code == 503 and reply.json["errorType"] == "unavailable", reply
            assert reply.json["error"] == "admin APIs disabled"
            assert server.get(path).code == 405
        assert not (server.data / "snapshots").exists()
        server.stop()
        server.flags.append("--web.enable-admin-api")
        server.start()
        reply = server.post(SNAPSHOT + "?skip_head=perhaps")
        assert reply.code == 400 and "skip_head" in reply.json["error"]
        query = urllib.parse.urlencode({"match[]": "m"})
        reply = server.post(f"/api/v1/admin/tsdb/delete_series?{query}")
        assert reply.code == 501 and "cannot be deleted" in reply.json["error"]
        assert server.post("/api/v1/admin/tsdb/clean_tombstones").code == 204
    finally:
        server.end()
