"""Servers under load on our heap, and the load generator too.

nginx, with gzip and a thread pool for file I/O, is the plain case: few allocations from threads. An
apache2 with one process of many threads is the hard one: each compressed reply takes 268 KB from
its thread's heap in five pieces and gives them back, the pools of a connection are made by one
thread and destroyed by another (event MPM), and MaxMemFree makes them give blocks of 8 KB back
instead of keeping them. wrk's threads run on the heap as well.

Everything listens on a free port of the loopback interface, in a temporary folder, for seconds.
"""
import contextlib
import gzip
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

from runner import program

LONG = bool(os.environ.get("HEARTH_LONG"))
LOAD_S = 10 if LONG else 1
CONNECTIONS = 32
START_S, STOP_S = 10, 30
DOCUMENTS = {"small.txt": 40}  # lines
if LONG:
    DOCUMENTS.update({"middle.txt": 1000, "large.txt": 20000})

NGINX_CONF = """
daemon off;
pid nginx.pid;
error_log error.log;
worker_processes 2;
thread_pool default threads=8;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
    scgi_temp_path t5;
    aio threads;
    gzip on;
    gzip_min_length 1;
    gzip_types text/plain;
    keepalive_requests 1000000;
    server { listen 127.0.0.1:PORT; root documents; }
}
"""

APACHE_CONF = """
ServerRoot "FOLDER"
ServerName localhost
PidFile apache.pid
Listen 127.0.0.1:PORT
ErrorLog error.log
DefaultRuntimeDir .
Mutex posixsem
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
User nobody
Group nogroup
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MinSpareThreads 1
MaxSpareThreads 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
MaxMemFree 1
DocumentRoot documents
SetOutputFilter DEFLATE
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_documents(r):
    folder = r.folder / "documents"
    folder.mkdir()
    for name, lines in DOCUMENTS.items():
        (folder / name).write_text("".join(f"line {i} {i * i}\n" for i in range(lines)))
    # Started by root, the servers serve as somebody else.
    r.folder.chmod(0o755)
    r.report.touch()
    r.report.chmod(0o666)


def children(pid):
    return {int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait_for(port, server):
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


@contextlib.contextmanager
def serving(r, port, command, stop_signal):
    """Runs the server meanwhile; then it and its children must have ended in order."""
    with open(r.folder / "output", "wb") as output:
        server = subprocess.Popen(command, cwd=r.folder, env=r.env, stdout=output, stderr=output,
                                  start_new_session=True)
    try:
        wait_for(port, server)
        workers = children(server.pid)
        yield
        server.send_signal(stop_signal)
        status = server.wait(STOP_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # its workers, too
        server.wait()
    if status != 0:
        raise AssertionError(f"the server ended with status {status}")
    if "LD_PRELOAD" in r.env and not workers | {server.pid} <= set(r.reported()):
        raise AssertionError("a process of the server did not walk its heap: it crashed, perhaps")


def fetch(url, compressed):
    request = urllib.request.Request(url)
    if compressed:
        request.add_header("Accept-Encoding", "gzip")
    with urllib.request.urlopen(request, timeout=STOP_S) as reply:
        body = reply.read()
        if compressed != (reply.headers["Content-Encoding"] == "gzip"):
            raise AssertionError(f"{url}: the wrong encoding")
    return gzip.decompress(body) if compressed else body


def load(r, url, *headers):
    words = [w for header in ("Accept-Encoding: gzip", *headers) for w in ("-H", header)]
    out = r.run(program("wrk"), "-t4", f"-c{CONNECTIONS}", f"-d{LOAD_S}s",
                f"--timeout={STOP_S}s", *words, url).decode()
    requests = re.search(r"(\d+) requests in", out)
    if "Socket errors" in out or "Non-2xx" in out or not requests or int(requests[1]) == 0:
        raise AssertionError(f"wrk on {url}:\n{out}")


def serve_and_fetch(r, port, command, stop_signal):
    bodies = []
    with serving(r, port, command, stop_signal):
        for name in DOCUMENTS:
            url = f"http://127.0.0.1:{port}/{name}"
            load(r, url)
            bodies += [fetch(url, True), fetch(url, False)]
        # A connection per request: its pools come and go.
        load(r, f"http://127.0.0.1:{port}/small.txt", "Connection: close")
    return b"".join(bodies)


def nginx_under_load(r):
    nginx, port = program("nginx"), free_port()
    program("wrk")
    write_documents(r)
    (r.folder / "nginx.conf").write_text(NGINX_CONF.replace("PORT", str(port)))
    command = [nginx, "-p", r.folder, "-e", "error.log", "-c", r.folder / "nginx.conf"]
    return serve_and_fetch(r, port, command, signal.SIGQUIT)


def apache_under_load(r):
    apache, port = program("apache2"), free_port()
    program("wrk")
    write_documents(r)
    conf = APACHE_CONF.replace("PORT", str(port)).replace("FOLDER", str(r.folder))
    (r.folder / "apache.conf").write_text(conf)
    command = [apache, "-f", r.folder / "apache.conf", "-DFOREGROUND"]
    return serve_and_fetch(r, port, command, signal.SIGWINCH)
