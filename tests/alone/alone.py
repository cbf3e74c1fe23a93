#!/usr/bin/env python3
"""libhearth-alloc without the rest of Hearth, as alloc/README.md says.

    alone.py SOURCE_FOLDER libhearth-alloc.a debug|release

In a fresh folder: a program links with the library of the build, by every compiler that is here;
with one of a debug build, it is told who leaked, and where something was freed twice. Then the
library is built without CMake, and the program runs with that, and another that has names of its
own which the library has, too.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
BASE = ("assert", "clock", "error", "lock", "log", "thread")
SAYS = b"alone within a limit\n"


def run(*command, folder):
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True,
                          check=False)
    assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


def line_of(source, text):
    """Where the text stands last in a source."""
    lines = (HERE / source).read_text().splitlines()
    return f"{source}:{max(i for i, line in enumerate(lines, 1) if text in line)}"


def links_with(root, library, compiler, folder):
    run(compiler, "-std=c17", f"-I{root}", "program.c", library, "-o", "program", folder=folder)
    assert run("./program", folder=folder) == SAYS


def tells_who_leaked(root, library, folder):
    run("cc", "-std=c17", "-DHEARTH_DEBUG=1", f"-I{root}", "leaky.c", library, "-o", "leaky",
        folder=folder)
    done = subprocess.run("./leaky", cwd=folder, capture_output=True, check=False)
    said = done.stderr.decode()
    assert done.returncode < 0, (done, "the second free was not noticed")
    where = line_of("leaky.c", "HEAP_QUERY")
    assert f"tag=query place={where} objects=2 bytes=320" in said, said
    twice = line_of("leaky.c", "heap_free")
    assert f"{twice}: heap: freed twice" in said and "tag=none" in said, said
    assert f"allocated={line_of('leaky.c', 'HEAP_LABELS);').rsplit(':', 1)[0]}:" in said, said


def builds_without_cmake(root, folder):
    sources = sorted((root / "alloc").glob("*.c")) + [root / "base" / f"{b}.c" for b in BASE]
    run("cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-DHEARTH_DEBUG=0", f"-I{root}", "-c", *sources,
        folder=folder)
    run("ar", "rcs", "libhearth-alloc.a", *sorted(folder.glob("*.o")), folder=folder)
    return folder / "libhearth-alloc.a"


def keeps_its_names_to_itself(root, folder):
    """One object of all that builds_without_cmake left, with the names of heap.h alone."""
    run("ld", "-r", *sorted(folder.glob("*.o")), "-o", "hearth-alloc.o", folder=folder)
    run("objcopy", "-w", "--keep-global-symbol=heap_*", "hearth-alloc.o", folder=folder)
    run("cc", "-std=c17", f"-I{root}", "names.c", "hearth-alloc.o", "-o", "names", folder=folder)
    run("./names", folder=folder)


def main():
    root, library = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="hearth-alone-") as name:
        folder = pathlib.Path(name)
        for source in HERE.glob("*.c"):
            shutil.copy(source, folder)
        for compiler in filter(shutil.which, ("cc", "gcc", "clang")):
            links_with(root, library, compiler, folder)
        if sys.argv[3] == "debug":
            tells_who_leaked(root, library, folder)
        links_with(root, builds_without_cmake(root, folder), "cc", folder)
        keeps_its_names_to_itself(root, folder)


if __name__ == "__main__":
    main()
