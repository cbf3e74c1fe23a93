"""hearth inspect: exit codes and words of the program itself; unit tests damage every byte."""
import subprocess

from hearth import BINARY, now_ms, series


def inspect(*words):
    done = subprocess.run([BINARY, "inspect", *map(str, words)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_folder_in_use_and_a_damaged_segment(server):
    server.must_write([series({"__name__": "m"}, [(now_ms(), 1.0)])])
    code, text = inspect("--verify", server.data)
    assert code == 0 and "1 batches, 1 samples" in text, text
    before = {p: p.read_bytes() for p in server.data.rglob("*") if p.is_file()}
    server.stop()
    segment = server.data / "wal" / "00000001"
    damaged = bytearray(before[segment])
    damaged[70] ^= 1
    copy = server.folder / "wal" / "00000001"
    copy.parent.mkdir()
    copy.write_bytes(damaged)
    code, text = inspect(copy)
    assert code == 1 and "at offset 64" in text and "a start" in text, text
    assert copy.read_bytes() == damaged, "it changes nothing"


def test_what_cannot_be_read_and_wrong_words(server):
    assert inspect(server.folder / "nothing")[0] == 2
    for words in ((), ("--verify",), ("--wrong", server.data)):
        code, text = inspect(*words)
        assert code == 2 and "usage: hearth inspect" in text
