"""A start with all windows full: until everything is there nothing is answered as if it were, it is
over soon, and no more memory is taken on the way than is needed to go on, and to read. The long
form has a million series, the short one shows that the same is asked."""
import collections
import http.client
import os
import subprocess

import pytest

from crash import BUILD, turned_clock
from hearth import LONG, lived, series, wait_until

RESTART = BUILD / "bench" / "snapshot" / "restart"
SERIES, SECONDS_MAX = (1_000_000, 10.0) if LONG else (10_000, 5.0)
WINDOWS, SAMPLES, STEP_MS = 8, 110, 120_000
ATTEMPTS = 3  # the machine may be busy
OVER_MAX = 1.05
READING_BYTES = os.cpu_count() << 20  # a block of a window file for each thread
LOADS = SERIES // 250 * 24  # of 250 series of a host, 24 are called node_load


@pytest.fixture
def full(make, tmp_path):
    """A server that does not run yet, and its folder, as after a clean stop."""
    plan = f"series={SERIES} windows={WINDOWS} samples={SAMPLES} step={STEP_MS} batch={SAMPLES}"
    data = tmp_path / "data"
    subprocess.run([RESTART, "make", data, *plan.split()], check=True, capture_output=True)
    clock_ms = int((tmp_path / "data.clock").read_text())
    server = make(f"--storage.path={data}", env=turned_clock(tmp_path / "clock", clock_ms))
    server.clock_ms = clock_ms
    return server


def status_bytes(server, key):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(key))


def count(data):
    return sum(int(item["value"][1]) for item in data["result"])


def ask(server):
    """What each question is answered: None when nobody is there, 503, or what should be there."""
    query = {"query": "count(node_load)", "time": server.clock_ms / 1000}
    try:
        ready = server.get("/-/ready").code
        reply = server.get("/api/v1/query", query)
        names = server.get("/api/v1/label/__name__/values")
        written = server.write([series({"__name__": "written"}, [(server.clock_ms, 1.0)])])
    except (OSError, http.client.HTTPException):
        return None
    return {
        "ready": ready,
        "query": count(reply.json["data"]) if reply.code == 200 else reply.code,
        "labels": "node_load" in names.json["data"] if names.code == 200 else names.code,
        "write": written.code,
    }


GOOD = {"ready": 200, "query": LOADS, "labels": True, "write": 204}


def start(server):
    """Seconds until all of it is there, and how often each question was refused."""
    refused = collections.Counter()
    began = lived()
    server.spawn()
    answers = None
    while answers != GOOD:
        assert server.process.poll() is None
        answers = ask(server)
        for question, answer in (answers or {}).items():
            assert answer in (503, GOOD[question]), (question, answer)
            refused[question] += answer == 503
    return lived() - began, refused


def rest(server):
    """What is resident when nothing changes any more."""
    seen = [0]

    def unchanged():
        seen.append(status_bytes(server, "VmRSS"))
        return abs(seen[-1] - seen[-2]) < seen[-1] / 1000

    wait_until(unchanged, 200, 2.0, "memory comes to rest")
    return seen[-1]


def expect_a_good_start(server, how):
    took = []
    for _ in range(ATTEMPTS):
        seconds, refused = start(server)
        took.append(round(seconds, 2))
        peak, after = status_bytes(server, "VmHWM"), rest(server)
        if seconds <= SECONDS_MAX:
            break
        server.kill()
    print(f"{SERIES} series, {how}: ready after {took} s, refused {dict(refused)};",
          f"at most {peak / 1e6:.1f} MB, {after / 1e6:.1f} at rest")
    text = f"sum(count_over_time(node_load[{WINDOWS * 4}h]))"
    assert count(server.query(text, server.clock_ms / 1000)) == LOADS * SAMPLES * WINDOWS
    assert took[-1] <= SECONDS_MAX
    assert peak <= OVER_MAX * after + READING_BYTES
    if LONG:  # it takes long enough to be asked meanwhile
        assert all(refused[question] for question in GOOD)


def test_a_start_with_full_windows(full):
    expect_a_good_start(full, "stopped")
    late = [series({"__name__": "late", "i": str(i)}, [(full.clock_ms, 1.0)]) for i in range(5000)]
    full.must_write(late)
    full.kill()
    expect_a_good_start(full, "killed")
    assert count(full.query("count(late)", full.clock_ms / 1000)) == len(late)
