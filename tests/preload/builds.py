"""Built on our heap: a program that calls every name of malloc(3); and a parallel build: make, g++
with its children, and the link-time optimizer."""
import os
import pathlib

from runner import program

UNITS, OPTIMIZE = (24, "-O2") if os.environ.get("HEARTH_LONG") else (1, "-O1")
JOBS = 4

MAKEFILE = """
.RECIPEPREFIX = >
units := $(patsubst %.cc,%.o,$(wildcard w*.cc))
w: main.o $(units)
> g++ OPTIMIZE -flto=JOBS $^ -o $@ -pthread
%.o: %.cc
> g++ OPTIMIZE -flto -std=c++17 -c $< -o $@
"""

UNIT_SOURCE = """
#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
namespace {
struct key_UNIT {
    std::string text;
    bool operator<(const key_UNIT &other) const { return text < other.text; }
};
}
unsigned long work_UNIT(unsigned long seed)
{
    std::map<key_UNIT, std::vector<std::unique_ptr<std::string>>> m;
    std::unordered_map<unsigned long, std::string> u;
    unsigned long sum = UNIT;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        key_UNIT key{std::to_string(seed >> 52)};
        m[key].push_back(std::make_unique<std::string>(seed >> 57, 'x'));
        u[seed >> 50] += key.text;
        if (m[key].size() > 20) m.erase(key);
        if (u[seed >> 50].size() > 100) u.erase(seed >> 50);
    }
    for (auto &e : m)
        for (auto &s : e.second) sum = sum * 31 + s->size() + e.first.text.size();
    for (unsigned long i = 0; i < 20000; i++)
        if (auto at = u.find(i); at != u.end()) sum = sum * 31 + at->second.size();
    std::regex r("([0-9]+)7([0-9]*)");
    std::smatch found;
    for (auto &e : m) sum += std::regex_match(e.first.text, found, r);
    return sum;
}
"""

MAIN_SOURCE = """
#include <iostream>
#include <thread>
#include <vector>
DECLARATIONS
static unsigned long (*const work[])(unsigned long) = {NAMES};
int main()
{
    std::vector<std::thread> threads;
    std::vector<unsigned long> sums(sizeof(work) / sizeof(work[0]));
    for (unsigned i = 0; i < sums.size(); i++)
        threads.emplace_back([&sums, i] { sums[i] = work[i](i + 1); });
    for (auto &t : threads) t.join();
    for (auto s : sums) std::cout << s << "\\n";
}
"""


def every_name(r):
    source = pathlib.Path(__file__).with_name("names.c")
    r.run(program("gcc"), "-O1", "-pthread", "-std=c17", "-D_GNU_SOURCE", source, "-o", "names")
    return r.run("./names")


def cpp_build(r):
    make = program("make")
    program("g++")
    names = [f"work_{unit}" for unit in range(UNITS)]
    for unit in range(UNITS):
        (r.folder / f"w{unit}.cc").write_text(UNIT_SOURCE.replace("UNIT", str(unit)))
    main = MAIN_SOURCE.replace("NAMES", ", ".join(names)).replace(
        "DECLARATIONS", "\n".join(f"unsigned long {name}(unsigned long);" for name in names))
    (r.folder / "main.cc").write_text(main)
    makefile = MAKEFILE.replace("JOBS", str(JOBS)).replace("OPTIMIZE", OPTIMIZE)
    (r.folder / "Makefile").write_text(makefile)
    r.run(make, f"-j{JOBS}", "w")
    # The objects are not the same twice, whatever the heap: link-time streams carry random names.
    return (r.folder / "w").read_bytes() + r.run("./w")
