"""The command line: what it accepts, what it refuses, and with which exit code and words."""
import os
import pathlib
import pwd
import resource
import socket
import subprocess
import tempfile

import pytest

from hearth import BINARY, PATIENCE_SECONDS, free_port


def run(*flags, **more):
    return subprocess.run(
        [BINARY, *flags], capture_output=True, text=True, timeout=PATIENCE_SECONDS, **more
    )


def one_line(result, code):
    """The one line it said before it ended with the code; "profiling:" are gcov's words, in a build
    with coverage that may not write its counts."""
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    others = ("level=info", "profiling:")
    lines = [line for line in result.stderr.splitlines() if not any(o in line for o in others)]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_help_names_every_flag_of_the_contract():
    result = run("-h")
    assert result.returncode == 0
    for flag in (
        "web.listen-address storage.path storage.chunk-duration storage.windows"
        " storage.memory-limit storage.memory-release storage.max-series wal.sync"
        " wal.sync-interval snapshot.interval query.timeout query.max-samples"
        " query.max-concurrency query.lookback-delta query.max-workers-per-query"
        " self-scrape.interval log.level log.format"
    ).split():
        assert "--" + flag in result.stdout
    assert run("--help").stdout == result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 88, "lines that a terminal has room for"


@pytest.mark.parametrize("command", ["explain", "inspect"])
def test_commands_have_a_help_of_their_own(command):
    result = run(command, "--help")
    assert result.returncode == 0 and not result.stderr
    assert f"usage: hearth {command}" in result.stdout and "Exit codes" in result.stdout
    assert run(command, "-h").stdout == result.stdout


def test_version():
    result = run("--version")
    assert result.returncode == 0
    assert "hearth" in result.stdout


@pytest.mark.parametrize(
    "flags, named",
    [
        (["--no-such-flag"], "no-such-flag"),
        (["--no-such-flag=3"], "no-such-flag"),
        (["stray"], "stray"),
        (["--storage.chunk-duration=soon"], "storage.chunk-duration"),
        (["--storage.chunk-duration"], "storage.chunk-duration"),
        (["--storage.windows=0"], "storage.windows"),
        (["--storage.windows=65"], "storage.windows"),
        (["--storage.windows", "-3"], "storage.windows"),
        (["--storage.memory-limit=lots"], "storage.memory-limit"),
        (["--storage.memory-limit=101%"], "storage.memory-limit"),
        (["--storage.memory-release=later"], "storage.memory-release"),
        (["--wal.sync=sometimes"], "wal.sync"),
        (["--query.timeout=-1s"], "query.timeout"),
        (["--query.max-samples=1e6"], "query.max-samples"),
        (["--log.level=loud"], "log.level"),
        (["--enable-feature=promql-experimental"], "enable-feature"),
        (["--web.listen-address=nowhere"], "web.listen-address"),
        (["--web.listen-address=127.0.0.1:99999"], "web.listen-address"),
        (["--storage.path="], "storage.path"),
        # Together too many for a series' ring.
        (["--storage.chunk-duration=1s"], "--storage.future-tolerance"),
        (["--storage.chunk-duration=1m", "--storage.windows=60"], "--storage.windows"),
    ],
)
def test_a_wrong_flag_ends_with_2_and_one_line_that_names_it(flags, named, tmp_path):
    line = one_line(run(*flags, cwd=tmp_path), 2)
    assert named in line
    assert list(tmp_path.iterdir()) == [], "nothing may be created before the flags are right"


def test_a_port_that_is_taken_ends_with_1_and_names_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run(f"--web.listen-address={address}", f"--storage.path={tmp_path}/data")
    assert address in one_line(result, 1)


def on_free_port(path, **more):
    return run(f"--web.listen-address=127.0.0.1:{free_port()}", f"--storage.path={path}", **more)


def test_a_data_folder_that_is_a_file_ends_with_1_and_names_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("not a folder")
    assert str(path) in one_line(on_free_port(path), 1)
    assert path.read_text() == "not a folder"


def test_a_data_folder_that_cannot_be_made_ends_with_1_and_names_it():
    path = "/proc/hearth-cannot-be-here/data"
    assert "/proc/hearth-cannot-be-here" in one_line(on_free_port(path), 1)


def test_a_process_without_address_space_ends_with_1_and_says_so(tmp_path):
    def ration():
        resource.setrlimit(resource.RLIMIT_AS, (60 << 20, 60 << 20))

    assert "ulimit -v" in one_line(on_free_port(tmp_path / "data", preexec_fn=ration), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.fixture
def open_folder():
    """Where everybody may look: pytest takes that from its own folders when another one starts."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_data_folder_that_is_not_writable_ends_with_1_and_names_it(open_folder):
    data = open_folder / "data"
    data.mkdir(mode=0o755)
    nobody = pwd.getpwnam("nobody")
    # A copy, because the build folder may be out of nobody's reach.
    program = open_folder / "hearth"
    program.write_bytes(pathlib.Path(BINARY).read_bytes())
    program.chmod(0o755)
    result = subprocess.run(
        [program, f"--web.listen-address=127.0.0.1:{free_port()}", f"--storage.path={data}"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd="/", user=nobody.pw_uid,
        group=nobody.pw_gid, extra_groups=[],
    )  # fmt: skip
    assert str(data) in one_line(result, 1)


def test_a_data_folder_in_use_ends_with_1_and_names_it(server):
    assert str(server.data) in one_line(on_free_port(server.data), 1)
    assert server.get("/-/ready").code == 200, "the first one is not disturbed"


def test_both_ways_to_give_a_value(make):
    server = make("--query.max-samples", "1234", "--query.lookback-delta=7m").start()
    flags = server.ask("/api/v1/status/flags", {})
    assert flags["query.max-samples"] == "1234"
    assert flags["query.lookback-delta"] == "7m"


def test_features_are_off_until_they_are_named(make, tmp_path):
    query = {"query": "min_of(1, 2)"}
    refused = make().start().get("/api/v1/query", query)
    assert refused.code == 400
    assert 'function "min_of" is not enabled' in refused.json["error"]
    server = make(
        "--enable-feature=promql-binop-fill-modifiers,promql-experimental-functions",
        folder=tmp_path / "with",
    ).start()  # fmt: skip
    assert server.ask("/api/v1/query", query)["result"][1] == "1"
    assert server.ask("/api/v1/query", {"query": "a + fill(0) b"})["result"] == []


def test_several_addresses(make):
    first, second = free_port(), free_port()
    server = make(
        f"--web.listen-address=127.0.0.1:{first}", f"--web.listen-address=127.0.0.1:{second}",
        port=first,
    ).start()  # fmt: skip
    assert server.get("/-/healthy").code == 200
    server.port = second
    assert server.get("/-/healthy").code == 200


def test_a_fresh_start_scrapes_itself(make):
    from hearth import wait_until

    server = make("--self-scrape.interval=1s").start()
    found = wait_until(lambda: server.query("up")["result"], 15)
    assert found[0]["metric"]["job"] == "prometheus"
    assert found[0]["value"][1] == "1"


def test_sigterm_ends_with_0_and_nothing_is_lost(make):
    from hearth import now_ms, series

    server = make().start()
    t = now_ms()
    server.must_write([series({"__name__": "kept"}, [(t, 1.5)])])
    assert server.stop() == 0
    server.start()
    assert server.points("kept") == {(("__name__", "kept"),): [(t, "1.5")]}
