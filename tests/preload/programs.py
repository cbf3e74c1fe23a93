#!/usr/bin/env python3
"""Programs that know nothing of us, on our heap: do they still do what they did?

    programs.py libhearth-malloc.so

Each case runs once on libc's malloc and once with the library in LD_PRELOAD; the results must be
the same. Every process that ends by exit also walks its heap, checks its books and, if its threads
rest, compares the two (see malloc_shim.c); it aborts on a broken invariant or a difference, so that
a status of 0 says more than usual. A few small cases by
default; HEARTH_LONG in the environment makes it all of them, and the work large. A program that is
not installed is skipped, and that is said.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import servers
from runner import Runner, Skipped, program

LONG = bool(os.environ.get("HEARTH_LONG"))
PYTHON_TESTS = [
    "test_dict", "test_list", "test_set", "test_bytes", "test_json", "test_sort",
    "test_re", "test_thread", "test_fork1", "test_queue", "test_zlib",
    "test_struct", "test_array", "test_memoryview", "test_pickle", "test_itertools", "test_weakref",
    "test_unicode", "test_decimal", "test_xml_etree",
]

CPP_SOURCE = """
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
static unsigned long work(unsigned long seed)
{
    std::map<std::string, std::vector<std::unique_ptr<std::string>>> m;
    std::unordered_map<unsigned long, std::string> u;
    unsigned long sum = 0;
    for (int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        std::string key = std::to_string(seed >> 52);
        m[key].push_back(std::make_unique<std::string>(seed >> 57, 'x'));
        u[seed >> 50] += key;
        if (m[key].size() > 20) m.erase(key);
        if (u[seed >> 50].size() > 100) u.erase(seed >> 50);
    }
    for (auto &e : m)
        for (auto &s : e.second) sum = sum * 31 + s->size() + e.first.size();
    for (unsigned long i = 0; i < 20000; i++)
        if (auto at = u.find(i); at != u.end()) sum = sum * 31 + at->second.size();
    std::regex r("([0-9]+)7([0-9]*)");
    std::smatch found;
    for (auto &e : m) sum += std::regex_match(e.first, found, r);
    return sum;
}
int main()
{
    std::vector<std::thread> threads;
    std::vector<unsigned long> sums(8);
    for (unsigned i = 0; i < sums.size(); i++)
        threads.emplace_back([&sums, i] { sums[i] = work(i + 1); });
    for (auto &t : threads) t.join();
    for (auto s : sums) std::cout << s << "\\n";
}
"""

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


def sqlite_import(r):
    rows = 1_000_000 if LONG else 60_000
    with open(r.folder / "rows.csv", "w", encoding="ascii") as f:
        for i in range(rows):
            h = i * 2654435761 % 2**32
            f.write(f"{i},{h},name-{h % 5000},{'x' * (h % 90)}\n")
    return r.run(program("sqlite3"), "t.db", stdin=b"""
.mode csv
create table t(id integer, h integer, name text, pad text);
.import rows.csv t
create index by_name on t(name, h);
select name, count(*), sum(h), max(length(pad)) from t group by name order by name;
delete from t where h % 3 = 0;
vacuum;
pragma integrity_check;
select count(*), sum(length(pad)) from t where name like 'name-1%';
""")


def python_modules(r):
    python = python_with_tests()
    r.run(python, "-m", "test", "-q", *PYTHON_TESTS)
    return b"passed"


def python_forks(r):
    return r.run("/usr/bin/python3", "-c", FORK_SOURCE.replace("ROUNDS", "200" if LONG else "20"))


def git_repository(r):
    git = program("git")
    files, commits = (2000, 60) if LONG else (100, 3)
    r.env.update(GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_AUTHOR_DATE="1700000000 +0000",
                 GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b",
                 GIT_COMMITTER_DATE="1700000000 +0000")
    r.run(git, "init", "-q", "r")
    repository = r.folder / "r"
    for commit in range(commits):
        for i in range(commit % 7, files, 7 if commit else 1):
            lines = (f"line {k * (i + 1)} of {commit if k % 50 == 0 else 0}\n" for k in range(200))
            (repository / f"f{i}.txt").write_text("".join(lines))
        r.run(git, "-C", "r", "add", "-A")
        r.run(git, "-C", "r", "commit", "-q", "-m", f"commit {commit}")
    r.run(git, "-C", "r", "-c", "pack.threads=4", "gc", "-q", "--aggressive", "--prune=now")
    r.run(git, "-C", "r", "fsck", "--full", "--strict")
    return r.run(git, "-C", "r", "rev-parse", "HEAD") + r.run(git, "-C", "r", "log", "--stat")


def cpp_build(r):
    compiler = program("g++")
    source = r.folder / "w.cc"
    source.write_text(CPP_SOURCE)
    jobs = 4
    processes = [subprocess.Popen([compiler, "-O2", "-std=c++17", "-c", "w.cc", "-o", f"w{i}.o"],
                                  cwd=r.folder, env=r.env) for i in range(jobs)]
    if any([p.wait() for p in processes]):
        raise AssertionError("g++ failed")
    objects = {hashlib.sha256((r.folder / f"w{i}.o").read_bytes()).hexdigest() for i in range(jobs)}
    r.run(compiler, "w0.o", "-o", "w", "-pthread")
    return " ".join(objects).encode() + r.run("./w")


CASES = [sqlite_import, python_forks, git_repository, servers.nginx_under_load,
         servers.apache_under_load]
CASES_LONG = CASES + [python_modules, cpp_build]


def compare(case, library):
    results = []
    processes = {}
    for preload in (None, library):
        with tempfile.TemporaryDirectory(prefix="hearth-preload-") as name:
            r = Runner(pathlib.Path(name), preload)
            start = time.monotonic()
            results.append((hashlib.sha256(case(r)).hexdigest(), time.monotonic() - start))
            if preload:
                processes = r.reported()
    (plain, plain_s), (ours, ours_s) = results
    if plain != ours:
        raise AssertionError("the results differ")
    compared = sum(processes.values())
    if compared == 0:
        raise AssertionError("no process compared its books with its heap: was the library used?")
    return (f"same result; {len(processes)} processes walked their heap, {compared} at rest; "
            f"{plain_s:.1f} s, ours {ours_s:.1f} s")


def main():
    library = os.path.abspath(sys.argv[1])
    failed = False
    for case in CASES_LONG if LONG else CASES:
        try:
            print(f"{case.__name__}: {compare(case, library)}", flush=True)
        except Skipped as why:
            print(f"{case.__name__}: skipped, {why}", flush=True)
        except AssertionError as why:
            print(f"{case.__name__}: FAILED: {why}", flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
