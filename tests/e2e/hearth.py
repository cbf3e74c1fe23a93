"""A Hearth of one's own: start it, write to it, ask it, kill it.

    server = Hearth(tmp_path)
    server.start()
    server.write([series({"__name__": "up"}, [(t_ms, 1.0)])])
    server.query("up")

Nothing here waits a fixed time for something to happen: wait_until() asks until it has.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import snappy

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HEARTH_BINARY", str(ROOT / "build" / "release" / "hearth"))
LONG = bool(os.environ.get("HEARTH_LONG"))  # ./dev test-long
PATIENCE_SECONDS = 200  # with an answer, a start, an end: the machine may stand still for a minute
WRITE_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|: runtime error: ")
LEFT_IN_THE_HEAP = "still allocated"  # alloc/leaks.c
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

_given_ports = set()


def free_port():
    """A port nobody listens on, and that no other caller in this process got."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def now_ms():
    return int(time.time() * 1000)


class Lived(threading.Thread):
    """The seconds that this machine had for us: while it stands still none pass, and when it is so
    busy that who sleeps wakes late, fewer. Whoever is given a time is given it by this clock."""

    TICK_SECONDS = 0.05

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = 0.0

    def run(self):
        before = time.monotonic()
        while True:
            time.sleep(self.TICK_SECONDS)
            now = time.monotonic()
            self.seconds += min(now - before, 1.2 * self.TICK_SECONDS)
            before = now


_lived = Lived()


def lived():
    if not _lived.is_alive():
        _lived.start()
    return _lived.seconds


def wait_until(check, seconds=30, step=0.05, what=None):
    """The first true value of check(); AssertionError with its last value when time is up."""
    end = lived() + seconds
    while True:
        value = check()
        if value:
            return value
        if lived() > end:
            raise AssertionError(f"not within {seconds} s: {what or check}; last: {value!r}")
        time.sleep(step)


# --- remote write 1.0: prompb.WriteRequest, written by hand ---------------------------------------


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    """A length-delimited field."""
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def label(name, value):
    return field(1, field(1, name) + field(2, value))


def sample(t_ms, value):
    bits = struct.pack("<Q", value) if isinstance(value, int) else struct.pack("<d", value)
    return field(2, b"\x09" + bits + b"\x10" + varint(t_ms))


def series(labels, samples):
    """One TimeSeries. labels: a dict, or pairs in any order; a sample's value: a float, or its 64
    bits as an int."""
    pairs = sorted(labels.items()) if isinstance(labels, dict) else labels
    body = b"".join(label(n, v) for n, v in pairs) + b"".join(sample(t, v) for t, v in samples)
    return field(1, body)


def write_body(serieses):
    return snappy.compress(b"".join(serieses))


class Reply:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.code} {self.body[:300]!r}>"


def request(port, method, path, body=None, headers=None, timeout=PATIENCE_SECONDS):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


def get(port, path, params=None, **more):
    query = "?" + urllib.parse.urlencode(params, doseq=True) if params else ""
    return request(port, "GET", path + query, **more)


# --- a program under test -------------------------------------------------------------------------


class Program:
    """A process with its output in a file, ended when the test is."""

    name = "program"

    def __init__(self, folder, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.process = None
        self.log_path = self.folder / f"{self.name}.log"

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def spawn(self):
        assert self.process is None, f"{self.name} is already running"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env=self.environment(),
            )  # fmt: skip

    def is_ready(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}"
        try:
            return get(self.port, "/-/ready", timeout=5).code == 200
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        self.spawn()
        wait_until(self.is_ready, PATIENCE_SECONDS, what=f"{self.name} is ready")
        return self

    def signal(self, number, seconds=PATIENCE_SECONDS):
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(seconds)

    def kill(self):
        """kill -9: no goodbye."""
        self.signal(signal.SIGKILL)

    def stop(self):
        """SIGTERM; the exit code."""
        return self.signal(signal.SIGTERM)

    def end(self):
        if self.process is not None:
            self.kill()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Hearth(Program):
    name = "hearth"

    def __init__(self, folder, *flags, port=None, env=None):
        super().__init__(folder, port)
        self.data = self.folder / "data"
        self.flags = list(flags)
        self.env = env or {}

    def command(self):
        words = " ".join(self.flags)
        command = [BINARY]
        if "--web.listen-address" not in words:
            command.append(f"--web.listen-address=127.0.0.1:{self.port}")
        if "--storage.path" not in words:
            command.append(f"--storage.path={self.data}")
        if "--self-scrape.interval" not in words:
            command.append("--self-scrape.interval=0")  # tests count their own series
        return command + self.flags

    def environment(self):
        return {**os.environ, **self.env}

    def end(self):
        """SIGTERM, so that leaks are looked for, and a look at what sanitizers and the heap of a
        debug build said."""
        code = self.stop() if self.process is not None else 0
        assert not SANITIZER_REPORT.search(self.log), "a sanitizer found something"
        assert LEFT_IN_THE_HEAP not in self.log, "memory was left at the end"
        assert code == 0, f"{self.name} ended with {code}"

    def get(self, path, params=None, **more):
        return get(self.port, path, params, **more)

    def post(self, path, body=None, headers=None, **more):
        return request(self.port, "POST", path, body, headers, **more)

    def form(self, path, params):
        return self.post(path, urllib.parse.urlencode(params, doseq=True), FORM)

    def write_raw(self, body, **headers):
        """POST to the write endpoint; headers replace the usual ones, None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {**WRITE_HEADERS, **named}
        return self.post(
            "/api/v1/write", body, {name: v for name, v in merged.items() if v is not None}
        )

    def write(self, serieses):
        return self.write_raw(write_body(serieses))

    def must_write(self, serieses):
        reply = self.write(serieses)
        assert reply.code == 204, reply
        return reply

    def ask(self, path, params):
        """data of a successful answer."""
        reply = self.get(path, params)
        assert reply.code == 200, (path, params, reply)
        assert reply.json["status"] == "success"
        return reply.json["data"]

    def query(self, text, t=None, **params):
        if t is not None:
            params["time"] = t
        return self.ask("/api/v1/query", {"query": text, **params})

    def query_range(self, text, start, end, step, **params):
        params.update(query=text, start=start, end=end, step=step)
        return self.ask("/api/v1/query_range", params)

    def points(self, selector, seconds=3600, t=None):
        """{labels as sorted pairs: [(t_ms, text), ...]} of all raw samples in the last seconds."""
        data = self.query(f"{selector}[{seconds}s]", t)
        assert data["resultType"] == "matrix"
        return by_labels(data["result"])

    def metrics(self):
        """{name with labels: value} of /metrics."""
        lines = self.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def by_labels(result):
    out = {}
    for item in result:
        key = tuple(sorted(item["metric"].items()))
        assert key not in out, f"the series {key} is in the answer twice"
        values = item["values"] if "values" in item else [item["value"]]
        out[key] = [(round(t * 1000), text) for t, text in values]
    return out


def needs(program):
    path = shutil.which(program)
    assert path, f"{program} is not installed; ./dev test installs it"
    return path
