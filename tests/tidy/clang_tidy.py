#!/usr/bin/env python3
"""Run clang-tidy over one folder's files, and remember which were clean.

    clang_tidy.py <build folder> <folder>

A file is looked at again only when its preprocessed text (comments kept: NOLINT is one), its flags,
.clang-tidy or clang-tidy itself changed; the stamps are in <build folder>/clang-tidy.

clang-analyzer's checks follow paths and take most of the time: they are left out unless HEARTH_LONG
is in the environment, as ./dev lint and ./dev test-long have it.
"""
import hashlib
import os
import pathlib
import subprocess
import sys

import compilations

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKS = [] if os.environ.get("HEARTH_LONG") else ["--checks=-clang-analyzer-*"]


def sources(build, folder):
    """(file, its flags, where) of each way that a file of the folder is compiled; generated code,
    which lies in the build folder, is left out."""
    for entry in compilations.read(build):
        path = pathlib.Path(entry["file"])
        ours = path.is_relative_to(ROOT / folder) and not path.is_relative_to(build)
        if ours and path.suffix == ".c":
            yield path, compilations.flags_of(entry), entry["directory"]


def preprocessed(path, flags, directory):
    return subprocess.run(
        ["cc", "-E", "-CC", *flags, path], cwd=directory, capture_output=True, check=True
    ).stdout


def stamp_of(path, flags, directory, tool):
    digest = hashlib.sha256()
    words = " ".join(flags + CHECKS).encode()
    for part in (tool, (ROOT / ".clang-tidy").read_bytes(), words):
        digest.update(part + b"\0")
    digest.update(preprocessed(path, flags, directory))
    return digest.hexdigest()


def main():
    build, folder = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    stamps = build / "clang-tidy"
    stamps.mkdir(exist_ok=True)
    tool = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    failed, looked_at, known = [], 0, 0
    for path, flags, directory in sources(build, folder):
        stamp = stamps / stamp_of(path, flags, directory, tool)
        if stamp.exists():
            known += 1
            continue
        looked_at += 1
        run = subprocess.run(
            ["clang-tidy", "--quiet", *CHECKS, path, "--", *flags],
            cwd=directory,
            capture_output=True,
            text=True,
        )
        if run.returncode:
            failed.append(path.relative_to(ROOT).as_posix())
            print(run.stdout)
        else:
            stamp.touch()
    print(f"clang-tidy {folder}: {looked_at} files looked at, {known} unchanged, failed: {failed}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
