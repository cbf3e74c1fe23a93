#!/usr/bin/env python3
"""docs/dependencies.md must have a row for each package that ./dev installs, and for no other."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    script = (ROOT / "dev").read_text()
    lists = re.findall(r"^(?!service)\w+_packages=\(([^)]*)\)", script, re.MULTILINE)
    installed = {word for words in lists for word in words.split()}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    described = {
        word for row in re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
        for word in re.findall(r"`([^`]+)`", row)
    }  # fmt: skip
    for package in sorted(installed - described):
        print(f"docs/dependencies.md: no row for {package}")
    for package in sorted(described - installed):
        print(f"docs/dependencies.md: {package} is not installed by ./dev")
    sys.exit(installed != described or not installed)


if __name__ == "__main__":
    main()
