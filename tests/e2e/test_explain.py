"""hearth explain: a running server's account of a query, as a table."""
import subprocess

from hearth import BINARY, now_ms, series


def explain(*words):
    done = subprocess.run([BINARY, "explain", *map(str, words)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_query_is_explained(server):
    t_ms = now_ms() // 1000 * 1000 - 60000
    server.must_write(
        [
            series({"__name__": "m_total", "i": str(i)}, [(t_ms + k * 1000, k) for k in range(60)])
            for i in range(3)
        ]
    )
    address = f"127.0.0.1:{server.port}"
    code, text, _ = explain("--server", address, "sum(rate(m_total[30s]))")
    lines = text.splitlines()
    assert code == 0 and len(lines) == 4, text
    assert lines[0].split() == ["time", "ms", "samples", "series", "values", "bytes"]
    assert lines[1].endswith("  sum(rate(m_total[30s]))") and lines[1].split()[2] == "1"
    assert lines[2].endswith("    rate(m_total[30s])") and lines[2].split()[2] == "3"

    end = t_ms // 1000 + 50
    window = ("--start", end - 20, "--end", end, "--step", "10s")
    code, text, _ = explain("--server", address, *window, "m_total + 1")
    assert code == 0 and text.splitlines()[1].split()[2:4] == ["3", "9"], text


def test_what_cannot_be_explained(server):
    address = f"127.0.0.1:{server.port}"
    code, _, errors = explain("--server", address, "sum(")
    assert code == 1 and "parse error" in errors
    server.stop()
    code, _, errors = explain("--server", address, "up")
    assert code == 1 and "no answer from" in errors
    unusable = (), ("--wrong", "up"), ("--server",), ("--start", "1", "up"), ("--server", "x", "up")
    not_quoted = "sum(up)", "by", "(job)"
    for words in (*unusable, not_quoted):
        assert explain(*words)[0] == 2, words
