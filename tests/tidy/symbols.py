#!/usr/bin/env python3
"""The second guard of the floors: what the archives of a build really ask the linker for.

    symbols.py <build folder>      reads libhearth_*.a with nm

base/ never allocates; no folder but alloc/ calls libc's allocator or maps memory, not even through
a pointer that tidy.py cannot see; and nobody asks for the functions of UNSAFE.
"""
import pathlib
import subprocess
import sys

LIBC_MEMORY = {
    "malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "asprintf",
    "vasprintf", "aligned_alloc", "posix_memalign", "mmap", "mmap64", "munmap", "madvise", "sbrk",
}  # fmt: skip
UNSAFE = {"sprintf", "vsprintf", "strcpy", "strcat", "gets", "strtok", "atoi", "atof", "rand"}
OUR_MEMORY = ("heap_", "arena_", "buf_")
# Without optimisation gcc keeps the streaming half of <xxhash.h>, which nobody calls.
EXCUSED = {("hash.c.o", "malloc"), ("hash.c.o", "free")}


def wanted(archive):
    """(object, symbol) for every symbol an object of the archive needs from elsewhere."""
    run = subprocess.run(["nm", "-u", archive], capture_output=True, text=True, check=True)
    member = ""
    for line in run.stdout.splitlines():
        words = line.split()
        if line.endswith(":"):
            member = line[:-1]
        elif words and words[0] in "Uw":
            yield member, words[1].split("@")[0]


def is_breach(folder, member, symbol):
    if (member, symbol) in EXCUSED:
        return False
    if folder == "base" and symbol.startswith(OUR_MEMORY):
        return True
    return symbol in UNSAFE or (folder != "alloc" and symbol in LIBC_MEMORY)


def main():
    archives = sorted(pathlib.Path(sys.argv[1]).rglob("libhearth_*.a"))
    breaches = [
        f"{archive.name}({member}): needs {symbol}"
        for archive in archives
        for member, symbol in wanted(archive)
        if is_breach(archive.stem.removeprefix("libhearth_"), member, symbol)
    ]
    names = [archive.name for archive in archives]
    print("\n".join(breaches) or f"symbols: clean in {', '.join(names)}")
    sys.exit(bool(breaches) or "libhearth_base.a" not in names)


if __name__ == "__main__":
    main()
