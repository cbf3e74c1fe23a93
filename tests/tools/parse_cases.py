"""Prometheus' own parser cases against ours.

The file of cases is not part of the tree; without it the test says "skipped: not present".
It is looked for in $HEARTH_SHARED/promql-parse, then beside the source root in ../shared.

ok or error must agree in every case, and so must the printed form. The words of errors are a
counted target with a floor: raise it when you reach more. The one that differs is an expression
of 10,000 levels, which is refused for its depth before the emptiness inside is seen.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = {"experimental_functions": "e", "extended_range_selectors": "r", "binop_fill": "f",
         "binop_fill_modifiers": "f", "fill_modifiers": "f"}
WORDING_FLOOR = 147


def find_cases():
    shared = os.environ.get("HEARTH_SHARED")
    for folder in filter(None, [shared, ROOT.parent / "shared"]):
        path = Path(folder) / "promql-parse" / "parse-cases.json"
        if path.is_file():
            return path
    return None


def run(tool, cases):
    message = bytearray()
    for case in cases:
        query = case["query"].encode("utf-8", "surrogateescape")
        flags = "".join(FLAGS.get(flag, "") for flag in case["flags"])
        flags += "p" if "prettified" in case else ""
        flags = flags or "-"
        message += f"{flags} {len(query)}\n".encode() + query
    done = subprocess.run([tool], input=bytes(message), capture_output=True, timeout=60, check=True)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    assert len(lines) == len(cases), f"{len(lines)} answers to {len(cases)} queries"
    return [line.partition(" ")[::2] for line in lines]


def check(case, verdict, words):
    """The complaint about a case, and whether the words of its error agree (None: no error)."""
    if (verdict == "ok") != case["ok"]:
        return f"expected {case['err_contains'] or 'ok'!r}, got {verdict} {words}", None
    if not case["ok"]:
        expected = f": parse error: {case['err_contains']}"
        return None, expected[:300] in words
    printed = case.get("printed")
    if "prettified" in case:
        printed = case["prettified"]
        if printed.replace("\n", "\\n") != words:
            return f"expected to be formatted as {printed}, got {words}", None
    elif printed is not None:
        # TestBinaryExprUTF8Labels writes its expectation with a space that the extraction lost.
        printed = re.sub(r" (on|ignoring|group_left|group_right)\(", r" \1 (", printed)
        if printed.replace("\n", "\\n") != words:
            return f"expected to be printed as {printed}, got {words}", None
    return None, None


def main():
    path = find_cases()
    if path is None:
        print("skipped: not present")
        return 0
    cases = json.loads(path.read_text())
    failures = wording = errors = printed = 0
    for case, (verdict, words) in zip(cases, run(sys.argv[1], cases)):
        complaint, words_agree = check(case, verdict, words)
        printed += "printed" in case
        if complaint:
            failures += 1
            print(f"{case['source']}: {case['query'][:120]!r}: {complaint[:300]}")
        if words_agree is not None:
            errors += 1
            wording += words_agree
            if not words_agree:
                print(f"wording: {case['query'][:80]!r}: {case['err_contains'][:150]!r}, "
                      f"ours: {words[:200]!r}")
    print(f"{len(cases)} cases, {failures} failures, {printed} printed forms, "
          f"wording of errors: {wording} of {errors} (floor {WORDING_FLOOR})")
    return 0 if failures == 0 and wording >= WORDING_FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
