"""CPython on our heap: its own test modules, and forks beside threads that allocate."""
import os
import pathlib
import re
import shutil
import subprocess

from runner import Skipped

LONG = bool(os.environ.get("HEARTH_LONG"))
MODULES = ["test_bytes", "test_dict", "test_fork1", "test_thread"]
if LONG:
    MODULES = pathlib.Path(__file__).with_name("cpython.txt").read_text().split()
# 0:01:19 load avg: 1.38 [17/21] test_statistics passed
OUTCOME = re.compile(rb"^\d.*\[ *\d+/\d+(?:/\d+)?\] (test_\w+) (\w+)", re.M)

FORK_SOURCE = """
import os, threading
stop = False
def churn():
    keep = []
    while not stop:
        keep.append(bytearray(len(keep) * 37 % 70000))
        if len(keep) > 300: keep = keep[150:]
threads = [threading.Thread(target=churn) for _ in range(3)]
for t in threads: t.start()
for i in range(ROUNDS):
    pid = os.fork()
    if pid == 0:
        junk = [bytearray(k * 100) for k in range(500)]
        del junk
        os._exit(0 if sum(range(10)) == 45 else 1)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
for t in threads: t.join()
print("done")
"""


def python_with_tests():
    """Debian's python3 with libpython3.11-testsuite, or another one that brings its tests."""
    for python in ("/usr/bin/python3", shutil.which("python3")):
        if python and subprocess.run([python, "-c", "import test.test_json"], capture_output=True,
                                     check=False).returncode == 0:
            return python
    raise Skipped("no python3 with its test modules (Debian: libpython3.11-testsuite)")


def python_modules(r):
    """Which of the modules pass: some may not, whatever the heap, in a container for example."""
    python = python_with_tests()
    done = subprocess.run([python, "-m", "test", "-j2", "--timeout=300", *MODULES], cwd=r.folder,
                          env=r.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    outcomes = dict(OUTCOME.findall(done.stdout))
    if not set(MODULES) <= {name.decode() for name in outcomes}:
        raise AssertionError(f"not all modules ran:\n{done.stdout[-3000:].decode()}")
    (r.folder / "output").write_bytes(done.stdout)
    return b"\n".join(b"%s %s" % outcome for outcome in sorted(outcomes.items()))


def python_forks(r):
    return r.run("/usr/bin/python3", "-c", FORK_SOURCE.replace("ROUNDS", "200" if LONG else "20"))
