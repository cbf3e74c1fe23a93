"""Damage to the write-ahead log: cut or skipped, logged, and the start goes on with the rest."""
import pytest

from crash import INSTRUMENTED
from hearth import LONG, now_ms, series

BATCHES = 200
HEAD_BYTES = 64
SEGMENTS = 100_000 if LONG else 10_000
START_BYTES_MAX = 64 << 20


@pytest.fixture
def killed(make):
    """A server that took BATCHES requests of one sample each and was killed."""
    server = make("--snapshot.interval=1h").start()
    server.t = now_ms() - 10 * BATCHES
    for i in range(BATCHES):
        server.must_write([series({"__name__": "wal"}, [(server.t + i, float(i))])])
    server.kill()
    return server


def newest_segment(server):
    """The newest segment that holds anything."""
    segments = sorted((server.data / "wal").iterdir())
    return max((s for s in segments if s.stat().st_size > 4096), key=lambda s: s.name)


def found(server):
    """The numbers of the samples that are there."""
    points = server.points("wal").get((("__name__", "wal"),), [])
    for t_ms, text in points:
        assert t_ms - server.t == int(text)
    return [int(text) for _, text in points]


def said(server, since):
    return [
        line
        for line in server.log[since:].splitlines()
        if "level=warn" in line or "level=error" in line
    ]


def restart(server):
    """The numbers found, and what was logged about it."""
    since = len(server.log)
    server.start()
    server.must_write([series({"__name__": "after"}, [(now_ms(), 1.0)])])
    return found(server), said(server, since)


def test_an_undamaged_log_gives_everything_and_says_nothing(killed):
    numbers, lines = restart(killed)
    assert numbers == list(range(BATCHES))
    assert lines == []


@pytest.mark.parametrize("cut", [1, 3, 17])
def test_a_torn_tail_costs_one_batch_and_is_logged(killed, cut):
    path = newest_segment(killed)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    numbers, lines = restart(killed)
    if numbers == list(range(BATCHES)):
        assert cut < 8, "only the padding of a record may go unnoticed"
    else:
        assert numbers == list(range(BATCHES - 1))
        assert any(path.name in line for line in lines), killed.log
        assert killed.metrics()["hearth_wal_torn_ends_total"] == 1
    killed.kill()
    again, lines = restart(killed)
    assert again == numbers
    assert lines == [], "the tail was cut: it is reported once"


@pytest.mark.parametrize(
    "tail", [b"\0" * 100, b"\xff" * 5000, b"half a record"], ids=["zeros", "ones", "text"]
)
def test_rubbish_behind_the_last_record_costs_nothing(killed, tail):
    path = newest_segment(killed)
    with open(path, "ab") as f:
        f.write(tail)
    numbers, lines = restart(killed)
    assert numbers == list(range(BATCHES))
    assert any(path.name in line for line in lines), killed.log


def test_a_flipped_byte_costs_its_batch_and_no_other(killed):
    path = newest_segment(killed)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    numbers, lines = restart(killed)
    missing = set(range(BATCHES)) - set(numbers)
    assert len(missing) <= 1
    assert any(path.name in line for line in lines), killed.log
    assert any(
        value > 0 for name, value in killed.metrics().items() if "wal_corruptions_total" in name
    )


def test_a_hole_of_zeros_costs_what_was_in_it(killed):
    path = newest_segment(killed)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 512] = b"\0" * 512
    path.write_bytes(data)
    numbers, lines = restart(killed)
    assert 0 in numbers and BATCHES - 1 in numbers
    assert len(numbers) >= BATCHES - 32
    assert lines


def test_an_empty_and_a_strange_file_are_no_reason_to_stop(killed):
    (killed.data / "wal" / "99999999").write_bytes(b"")
    (killed.data / "wal" / "notes.txt").write_text("not ours")
    numbers, _ = restart(killed)
    assert numbers == list(range(BATCHES))
    assert (killed.data / "wal" / "notes.txt").read_text() == "not ours"


def test_a_snapshot_left_half_written_is_ignored(killed):
    for folder in ("windows", "manifests"):
        (killed.data / folder).mkdir(exist_ok=True)
        (killed.data / folder / "00000001.tmp").write_bytes(b"hear")
    numbers, _ = restart(killed)
    assert numbers == list(range(BATCHES))


@pytest.mark.skipif(INSTRUMENTED, reason="of memory")
def test_any_number_of_segments_is_replayed_in_bounded_memory(killed):
    path = newest_segment(killed)
    head = path.read_bytes()[:HEAD_BYTES]
    for number in range(int(path.name) + 1, int(path.name) + 1 + SEGMENTS):
        path.with_name(f"{number:08d}").write_bytes(head)
    numbers, _ = restart(killed)
    assert numbers == list(range(BATCHES))
    with open(f"/proc/{killed.process.pid}/status") as status:
        peak = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
    print(f"{peak / 1e6:.1f} MB at most")
    assert peak <= START_BYTES_MAX
