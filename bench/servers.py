"""The three servers under test: how each is started, asked, and looked at from outside.

CPU is the process CPU clock (all threads, nanoseconds), memory is VmRSS; both are read from outside,
the same way for every server.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    name = None
    write_path = "/api/v1/write"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "ab")
        self.environment = None  # ours
        self.process = None
        self.connection = None

    def command(self, data, port):
        raise NotImplementedError

    def start(self, seconds_max=120):
        """Start and wait until a query is answered."""
        self.port = free_port()
        self.process = subprocess.Popen(self.command(self.folder / "data", self.port),
                                        stdout=self.log, stderr=self.log, env=self.environment)
        self.wait_for(lambda: self.query("query", query="1")["status"] == "success", seconds_max)

    def wait_for(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: see {self.log.name}")
            try:
                if condition():
                    return
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                self.connection = None
            time.sleep(0.002)
        raise RuntimeError(f"{self.name}: not within {seconds} s")

    def stop(self, sig=signal.SIGTERM, seconds_max=120):
        self.connection = None
        start = time.monotonic()
        self.process.send_signal(sig)
        self.process.wait(seconds_max)
        return time.monotonic() - start

    def get(self, path):
        try:
            return self.get_once(path)
        except http.client.RemoteDisconnected:  # VictoriaMetrics keeps a connection for two minutes
            self.connection = None
            return self.get_once(path)

    def get_once(self, path):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        self.connection.request("GET", path)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def query_path(self, kind, **parameters):
        return f"/api/v1/{kind}?" + urllib.parse.urlencode(parameters, doseq=True)

    def query(self, kind, **parameters):
        return json.loads(self.get(self.query_path(kind, **parameters))[1])

    def cpu_s(self):
        # The CPU clock of another process: clock_getcpuclockid(3) in one line.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def rss_bytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def settle(self, seconds_max=60):
        """Wait until the server uses less than 3 % of a core over half a second; returns CPU then."""
        deadline = time.monotonic() + seconds_max
        before = self.cpu_s()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.cpu_s()
            if now - before < 0.015:
                return now
            before = now
        return before

    def disk_bytes(self):
        sizes = 0
        for path in (self.folder / "data").rglob("*"):
            try:
                sizes += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                pass  # it was needed no more
        return sizes

    def remove(self):
        self.log.close()
        shutil.rmtree(self.folder)


class Hearth(Server):
    name = "Hearth"
    binary = None

    def command(self, data, port):
        return [self.binary, f"--storage.path={data}", f"--web.listen-address=127.0.0.1:{port}",
                "--self-scrape.interval=0", "--query.max-samples=1000000000"]


class Prometheus(Server):
    name = "Prometheus"

    def command(self, data, port):
        config = self.folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 15s}\n")
        return ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
                "--query.max-samples=1000000000", "--storage.tsdb.retention.time=10d"]


class VictoriaMetrics(Server):
    name = "VictoriaMetrics"

    def command(self, data, port):
        return ["victoria-metrics", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}",
                "-search.latencyOffset=0s", "-search.maxUniqueTimeseries=10000000",
                "-search.maxSamplesPerQuery=2000000000", "-search.maxSeries=10000000",
                "-retentionPeriod=1"]


def version(binary, *flags):
    result = subprocess.run([binary, *flags], capture_output=True, text=True, check=False)
    text = (result.stdout + result.stderr).strip().splitlines()
    return text[0] if text else "?"


def peers():
    """The classes of the peers that are installed here."""
    return [c for c, program in ((Prometheus, "prometheus"), (VictoriaMetrics, "victoria-metrics"))
            if shutil.which(program)]
