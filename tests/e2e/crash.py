"""Traffic that survives its server (tests/crash/traffic.c), and a clock that goes with it."""
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

from hearth import BINARY, now_ms, wait_until

BUILD = pathlib.Path(BINARY).resolve().parent
INSTRUMENTED = BUILD.name in ("asan", "tsan", "coverage")
TRAFFIC = BUILD / "tests" / "crash" / "traffic"
CLOCK = BUILD / "bench" / "hours" / "clock.so"
HOUR_MS = 3600_000
TURNED_WINDOW_MS = 60_000  # some of them pass every second
TURNED_LATE = 3000  # requests: three windows
WRONG = ("lost", "wrong", "twice", "invented", "torn")


def turned_clock(path, start_ms):
    """Environment of a server whose wall clock is a number in a file (bench/hours/clock_shim.c)."""
    path.write_bytes(struct.pack("<q", start_ms))
    return {"LD_PRELOAD": str(CLOCK), "HOURS_CLOCK": str(path)}


class Traffic:
    """The process of writers and readers; ended with the test. Options as traffic.c lists them."""

    name = "traffic"

    def __init__(self, server, **options):
        self.folder = server.folder
        words = [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [TRAFFIC, str(server.port), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.log = ""

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"traffic has ended with {self.process.wait(10)}"
        self.log += f"{command}: {line}"
        return json.loads(line)

    def go(self):
        self.say("go")

    def clock(self):
        """Milliseconds of the clock by which answers are noted."""
        return self.say("clock")["clock"]

    def check(self, stable_ms=None):
        """Stop it and compare; the verdict, in which nothing is wrong. After a power cut: what was
        acknowledged later than stable_ms may be gone."""
        verdict = self.say("check" if stable_ms is None else f"check {stable_ms}")
        assert verdict["asked"], verdict
        assert not verdict["fault"], verdict["fault"]
        assert not any(verdict[kind] for kind in WRONG), verdict
        assert verdict["missed"] == 0, "acknowledged and not visible to the next query"
        assert verdict["halves"] == 0, "a query saw a part of a request"
        return verdict

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def restart(server):
    """Until it is ready, looking often: these tests start it hundreds of times."""
    if server.process is None:
        server.spawn()
    wait_until(server.is_ready, 180, step=0.004, what="ready again")


def dice():
    """Chance, by a seed that is printed; HEARTH_SEED repeats it."""
    seed = int(os.environ.get("HEARTH_SEED", time.time_ns() % 1_000_000))
    print(f"HEARTH_SEED={seed}")
    return random.Random(seed)


def begin_traffic(make, programs, folder, sync, clock, rng, more_flags=(), snapshot="1s",
                  **options):
    """A running server and its traffic, not yet begun. clock: "turned" lets windows be sealed,
    snapshot and expire all the time; with "still" samples go into windows of hours ago."""
    flags = [f"--wal.sync={sync}", "--wal.segment-size=256KiB",
             f"--snapshot.interval={snapshot}"]  # fmt: skip
    flags += more_flags
    start_ms = now_ms() // TURNED_WINDOW_MS * TURNED_WINDOW_MS
    if clock == "turned":
        path = folder / "clock"
        server = make(*flags, "--storage.chunk-duration=1m",
                      "--storage.clock-patience=0s", env=turned_clock(path, start_ms))
        options = {"clock": path, "chunk": TURNED_WINDOW_MS, "late": TURNED_LATE, **options}
    else:
        server = make(*flags)
        start_ms -= 20 * HOUR_MS
    server.start()
    traffic = Traffic(server, seed=rng.randrange(1 << 30), start=start_ms, **options)
    programs.append(traffic)
    return server, traffic
