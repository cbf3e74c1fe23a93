"""The clock of the process moved from outside with libfaketime: windows expire by it, exactly, and
a jump takes nothing away."""
import glob
import random
import threading

import pytest

from hearth import PATIENCE_SECONDS, now_ms, series, wait_until

HOUR_MS = 3600_000
WINDOW_MS = 4 * HOUR_MS
WINDOWS = 8
MARGIN_MS = 1000 * PATIENCE_SECONDS  # the moved clock goes on while the machine stands still


@pytest.fixture
def make_moved(make, tmp_path):
    """make_moved(*flags): a running server whose wall clock is the test's plus offset_ms; move()
    sets it."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert libraries, "libfaketime is not installed; ./dev test installs it"
    offset_file = tmp_path / "offset"

    def make_one(*flags):
        server = make(
            *flags,
            env={
                "LD_PRELOAD": libraries[0],
                "FAKETIME_TIMESTAMP_FILE": str(offset_file),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_RESET": "1",
            },
        )

        def move(offset_ms):
            server.offset_ms = offset_ms
            # By rename: who looks meanwhile must not find half of it.
            new = offset_file.with_suffix(".new")
            new.write_text(f"{offset_ms / 1000:+.3f}")
            new.rename(offset_file)

        server.move = move
        server.clock_ms = lambda: now_ms() + server.offset_ms
        move(0)
        return server.start()

    return make_one


@pytest.fixture
def moved(make_moved):
    """One that believes the first sample after a jump."""
    return make_moved("--storage.clock-patience=0s")


def put(server, t_ms, value=1.0):
    return server.write([series({"__name__": "m"}, [(t_ms, value)])])


def times(server):
    """Times of all samples that can be seen."""
    at = (server.clock_ms() + HOUR_MS) / 1000
    return sorted(t for points in server.points("m", 60 * 3600, at).values() for t, _ in points)


def test_time_is_the_moved_clock(moved):
    for offset_ms in (0, 5 * HOUR_MS, -3 * HOUR_MS, 1000 * HOUR_MS):
        moved.move(offset_ms)
        said = float(moved.query("time()")["result"][1])
        assert 0 <= moved.clock_ms() / 1000 - said < PATIENCE_SECONDS


def test_windows_expire_by_the_clock_one_at_a_time(moved):
    # Start in the middle of a window, so that the few seconds of the test never cross an edge.
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + WINDOW_MS // 2
    moved.move(start - now_ms())
    written = []
    for step in range(12):
        clock = start + step * WINDOW_MS
        moved.move(clock - now_ms())
        assert put(moved, clock).code == 204
        written.append(clock)
        oldest = (clock // WINDOW_MS - (WINDOWS - 1)) * WINDOW_MS
        assert times(moved) == [t for t in written if t >= oldest]
        assert put(moved, oldest - 1).code == 400, "before the oldest window"
        assert put(moved, clock + 11 * 60_000).code == 400, "too far ahead"
    assert len(times(moved)) == WINDOWS


def test_a_window_is_retained_to_its_last_moment(moved):
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + 2 * MARGIN_MS
    moved.move(start - now_ms())
    first = start - MARGIN_MS
    assert put(moved, first).code == 204
    edge = (first // WINDOW_MS + WINDOWS) * WINDOW_MS
    last = edge - MARGIN_MS
    moved.move(last - now_ms())
    assert put(moved, last).code == 204
    assert times(moved) == [first, last]
    moved.move(edge + 1000 - now_ms())
    assert times(moved) == [last]


def test_a_restart_in_another_time_keeps_what_is_retained_then(moved):
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + WINDOW_MS // 2
    for step in range(8):
        clock = start + step * WINDOW_MS
        moved.move(clock - now_ms())
        assert put(moved, clock).code == 204
    moved.kill()
    moved.move(start + 10 * WINDOW_MS - now_ms())
    moved.start()
    assert len(times(moved)) == 8, "no sample has said yet that the clock is right"
    clock = start + 10 * WINDOW_MS
    assert put(moved, clock).code == 204
    assert times(moved) == [start + step * WINDOW_MS for step in (3, 4, 5, 6, 7, 10)]


def test_a_clock_that_jumps_back_loses_nothing(moved):
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + WINDOW_MS // 2
    moved.move(start - now_ms())
    assert put(moved, start).code == 204
    moved.move(start - WINDOW_MS - now_ms())
    assert put(moved, start - WINDOW_MS).code == 204
    moved.move(start + 1000 - now_ms())
    assert times(moved) == [start - WINDOW_MS, start]


# --- jumps of a clock that is wrong: P16 ----------------------------------------------------------

JUMPS_MS = {
    "an hour on": HOUR_MS,
    "an hour back": -HOUR_MS,
    "a day on": 24 * HOUR_MS,
    "a day back": -24 * HOUR_MS,
    "32 hours on": 32 * HOUR_MS,
    "1970": -now_ms(),
    "2038": 2147483647_000 - now_ms(),
}
CANARY_HOURS = 27  # all of it retained, wherever in a window we are


class Load:
    """Writes a sample every few milliseconds, by the right time, and knows what was stored."""

    def __init__(self, server):
        self.server, self.acknowledged, self.answers = server, [], set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.01):
            t = now_ms()
            code = self.server.write([series({"__name__": "load"}, [(t, float(t))])]).code
            self.answers.add(code)
            if code == 204:
                self.acknowledged.append(t)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def points(server, name):
    at = (now_ms() + 60_000) / 1000
    found = server.points(name, 33 * 3600, at)
    return sorted(point for samples in found.values() for point in samples)


def put_canary(server):
    now = now_ms()
    samples = [(now - hour * HOUR_MS, float(hour)) for hour in range(CANARY_HOURS, -1, -1)]
    server.must_write([series({"__name__": "canary"}, samples)])
    return points(server, "canary")


def jumps_seen(server):
    found = server.metrics()
    return sum(found[f'hearth_clock_jumps_total{{direction="{d}"}}'] for d in ("forward", "back"))


def test_jumps_under_load_lose_nothing(make_moved):
    server = make_moved("--snapshot.interval=1s")
    canary = put_canary(server)
    assert len(canary) == CANARY_HOURS + 1
    with Load(server) as load:
        for name, offset_ms in JUMPS_MS.items():
            seen = len(load.acknowledged)
            server.move(offset_ms)
            wait_until(lambda: len(load.acknowledged) > seen + 100, PATIENCE_SECONDS,
                       what=f"writes during {name}")
            assert points(server, "canary") == canary, name
            server.move(0)
            assert points(server, "canary") == canary, name
        for step in range(20):
            server.move(-1000 * step)
            assert put(server, now_ms()).code == 204
    assert load.answers == {204}
    assert [t for t, _ in points(server, "load")] == sorted(load.acknowledged)
    assert points(server, "canary") == canary
    assert jumps_seen(server) >= len(JUMPS_MS), server.log
    assert 'msg="jumped, and is not believed yet"' in server.log
    assert server.metrics()["hearth_clock_offset_seconds"] == 0


@pytest.mark.parametrize("name", JUMPS_MS)
def test_a_restart_inside_a_jump_loses_nothing(make_moved, name):
    server = make_moved("--snapshot.interval=1s")
    canary = put_canary(server)
    if name != "a day on":  # that one has only the log
        wait_until(lambda: 'msg="published"' in server.log)
    server.move(JUMPS_MS[name])
    server.kill()
    server.start()
    server.must_write([series({"__name__": "meanwhile"}, [(now_ms(), 1.0)])])
    assert points(server, "canary") == canary
    server.stop()
    server.start()
    server.move(0)
    assert points(server, "canary") == canary
    assert len(points(server, "meanwhile")) == 1
    server.kill()
    server.start()
    assert points(server, "canary") == canary


def test_writers_by_a_doubtful_clock_come_again(make_moved):
    server = make_moved("--storage.clock-patience=5s")
    put_canary(server)
    server.move(40 * HOUR_MS)
    reply = put(server, server.clock_ms())
    assert reply.code == 503 and reply.headers["Retry-After"] and "clock" in reply.text
    wait_until(lambda: put(server, server.clock_ms()).code == 204, 60)
    assert points(server, "canary") == []
    wait_until(lambda: 'msg="is believed again"' in server.log)


# --- bad timestamps: P15 --------------------------------------------------------------------------


def test_a_bad_timestamp_blocks_no_later_write(server):
    choose = random.Random(15)
    soon, far = now_ms() + 2 * HOUR_MS, now_ms() + 365 * 24 * HOUR_MS
    edges = [-(1 << 63), (1 << 63) - 1, 0, -1, soon, far]
    bad = edges + [choose.randrange(-(1 << 63), 1 << 63) for _ in range(1000)]
    for n, t in enumerate(bad):
        assert put(server, t).code == 400, t
        assert put(server, now_ms()).code == 204, t
    assert all(t <= now_ms() for t, _ in points(server, "m"))
