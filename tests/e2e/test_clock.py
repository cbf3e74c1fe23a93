"""The clock of the process moved from outside with libfaketime: windows expire by it, exactly."""
import glob

import pytest

from hearth import now_ms, series

HOUR_MS = 3600_000
WINDOW_MS = 4 * HOUR_MS
WINDOWS = 8


@pytest.fixture
def moved(make, tmp_path):
    """A running server whose wall clock is the test's plus offset_ms; move() sets it."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert libraries, "libfaketime is not installed; ./dev test installs it"
    offset_file = tmp_path / "offset"
    offset_file.write_text("+0")
    server = make(
        env={
            "LD_PRELOAD": libraries[0],
            "FAKETIME_TIMESTAMP_FILE": str(offset_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
    )
    server.offset_ms = 0

    def move(offset_ms):
        server.offset_ms = offset_ms
        offset_file.write_text(f"{offset_ms / 1000:+.3f}")

    server.move = move
    server.clock_ms = lambda: now_ms() + server.offset_ms
    return server.start()


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
        assert abs(said - moved.clock_ms() / 1000) < 5


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
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + 60_000
    moved.move(start - now_ms())
    first = start - 30_000
    assert put(moved, first).code == 204
    edge = (first // WINDOW_MS + WINDOWS) * WINDOW_MS
    moved.move(edge - 30_000 - now_ms())
    assert times(moved) == [first]
    moved.move(edge + 1000 - now_ms())
    assert times(moved) == []


def test_a_restart_in_another_time_keeps_what_is_retained_then(moved):
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + WINDOW_MS // 2
    for step in range(8):
        clock = start + step * WINDOW_MS
        moved.move(clock - now_ms())
        assert put(moved, clock).code == 204
    moved.kill()
    moved.move(start + 10 * WINDOW_MS - now_ms())
    moved.start()
    assert times(moved) == [start + step * WINDOW_MS for step in range(3, 8)]


def test_a_clock_that_jumps_back_loses_nothing(moved):
    start = (now_ms() // WINDOW_MS + 1) * WINDOW_MS + WINDOW_MS // 2
    moved.move(start - now_ms())
    assert put(moved, start).code == 204
    moved.move(start - WINDOW_MS - now_ms())
    assert put(moved, start - WINDOW_MS).code == 204
    moved.move(start + 1000 - now_ms())
    assert times(moved) == [start - WINDOW_MS, start]
