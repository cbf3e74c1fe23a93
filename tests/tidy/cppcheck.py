#!/usr/bin/env python3
"""Run cppcheck over everything but the tests and generated code.

    cppcheck.py <build folder>

What it found out about files that are unchanged stays in <build folder>/cppcheck.
"""
import json
import pathlib
import subprocess
import sys

import compilations

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    known = build / "cppcheck"
    known.mkdir(exist_ok=True)
    project = known / "compile_commands.json"
    project.write_text(json.dumps(compilations.read(build)))
    run = subprocess.run(
        [
            "cppcheck",
            f"--project={project}",
            f"--cppcheck-build-dir={known}",
            "--enable=warning,performance,portability",
            "--inline-suppr",
            "--library=posix",
            "--quiet",
            f"--suppressions-list={ROOT / 'tests/tidy/cppcheck.txt'}",
            f"-i{build}",
            f"-i{ROOT / 'tests'}",
            "--error-exitcode=1",
        ]
    )
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
