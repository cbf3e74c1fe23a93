#!/usr/bin/env python3
"""Check what the compiler does not: who includes whom, who may call what, the shape of the text.

    tidy.py [root]       prints every breach as file:line: text; exit 1 when there is one

The rules are tables beside this file, read from the tree that is checked:

    floors.txt    folder : folders it may include : headers it shows to others
    doors.txt     foreign header : the only files that may include it
    words.txt     function names : the only files that may call them : what to use instead
    untested.txt  source file : why it has no tests/unit/<folder>/test_<file>.c

Text inside comments and strings never counts as code.
"""
import pathlib
import re
import sys

WIDTH_MAX = 100
FILE_LINES_MAX = 900
FUNCTION_LINES_MAX = 100
SOURCES = (".c", ".h", ".cc")
TESTS = ("tests", "bench")  # looser: libc's own names are allowed there

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*"          # a line comment
    r"|/\*.*?\*/"                 # a block comment
    r'|"(?:\\.|[^"\\\n])*"'       # a string
    r"|'(?:\\.|[^'\\\n])*'",      # a character
    re.DOTALL,
)


def blank(text):
    """The same number of lines and columns, with nothing on them."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKEN.sub(lambda m: blank(m[0]) if m[0].startswith("/") else m[0], text)


def only_code(text):
    return TOKEN.sub(lambda m: blank(m[0]), text)


def only_comments(text):
    """What TOKEN finds, minus strings, on its own lines; the rest blank."""
    out, end = [], 0
    for m in TOKEN.finditer(text):
        out.append(blank(text[end : m.start()]))
        out.append(m[0] if m[0].startswith("/") else blank(m[0]))
        end = m.end()
    return "".join(out) + blank(text[end:])


class Table:
    """Rows of words between colons; '#' starts a comment line."""

    def __init__(self, path):
        self.rows = []
        if path.exists():
            for line in path.read_text().splitlines():
                if line.strip() and not line.startswith("#"):
                    self.rows.append([cell.strip() for cell in line.split(":", 2)])


class Tree:
    def __init__(self, root):
        self.root = root
        rules = root / "tests" / "tidy"
        self.floors = {
            row[0]: (set(row[1].split()), set(row[2].split()))
            for row in Table(rules / "floors.txt").rows
        }
        self.doors = [(row[0], row[1].split()) for row in Table(rules / "doors.txt").rows]
        self.words = {
            word: (row[1].split(), row[2])
            for row in Table(rules / "words.txt").rows
            for word in row[0].split()
        }
        self.untested = {row[0]: row[1] for row in Table(rules / "untested.txt").rows}
        self.breaches = []

    def report(self, name, line, text):
        self.breaches.append(f"{name}:{line}: {text}")

    def files(self, folders, suffixes):
        for folder in folders:
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in suffixes and path.is_file():
                    yield path.relative_to(self.root).as_posix(), path.read_text()


def check_include_ours(tree, name, number, to_header):
    folder = name.split("/")[0]
    to, _, header = to_header.partition("/")
    if to == folder:
        return
    if to not in tree.floors:
        tree.report(name, number, f'"{to_header}" is not a path from the root')
        return
    below, _ = tree.floors[folder]
    shown = tree.floors[to][1]
    if to not in below:
        tree.report(name, number, f"{folder}/ may not look up or sideways at {to}/")
    elif "*" not in shown and header not in shown:
        tree.report(name, number, f"{to_header} is private to {to}/")


def check_include_foreign(tree, name, number, header):
    for door, allowed in tree.doors:
        if not header.startswith(door):
            continue
        if not any(name == a or (a.endswith("/") and name.startswith(a)) for a in allowed):
            tree.report(name, number, f"<{header}> belongs to {', '.join(allowed)}")


def check_includes(tree, name, text):
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        m = INCLUDE.match(line)
        if m and m[1]:
            check_include_ours(tree, name, number, m[1])
        elif m:
            check_include_foreign(tree, name, number, m[2])


def check_own_header_first(tree, name, text):
    path = pathlib.PurePosixPath(name)
    own = path.with_suffix(".h").as_posix()
    if path.suffix == ".h" or not (tree.root / own).exists():
        return
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        m = INCLUDE.match(line)
        if m:
            if m[1] != own:
                tree.report(name, number, f'the first include must be "{own}"')
            return


def check_words(tree, name, text):
    call = re.compile(r"(?<![\w.>])(?:%s)(?=\s*\()" % "|".join(map(re.escape, tree.words)))
    for number, line in enumerate(only_code(text).splitlines(), 1):
        for m in call.finditer(line):
            allowed, instead = tree.words[m[0]]
            if name not in allowed:
                tree.report(name, number, f"{m[0]}() is not for here; use {instead}")


def check_function_length(tree, name, text):
    """Functions open and close their brace in the first column (.clang-format sees to it)."""
    start = 0
    for number, line in enumerate(only_code(text).splitlines(), 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start:
            if number - start - 1 > FUNCTION_LINES_MAX:
                tree.report(name, start, f"a function of {number - start - 1} lines")
            start = 0


def check_file_length(tree, name, text):
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        tree.report(name, count, f"{count} lines; split by verb before {FILE_LINES_MAX}")


def check_lead(tree, name, text):
    if not text.startswith("/*"):
        tree.report(name, 1, "a file starts with a comment that says what lives there")


def check_lines(tree, name, text):
    width_max = WIDTH_MAX
    for number, line in enumerate(text.split("\n"), 1):
        if "clang-format off" in line:  # a table with a row per line, however long
            width_max = len(text)
        elif "clang-format on" in line:
            width_max = WIDTH_MAX
        if "\t" in line:
            tree.report(name, number, "a tab")
        if line != line.rstrip():
            tree.report(name, number, "blanks at the end of the line")
        if len(line) > width_max:
            tree.report(name, number, f"{len(line)} columns, {WIDTH_MAX} is the limit")
    if text and not text.endswith("\n"):
        tree.report(name, text.count("\n") + 1, "no newline at the end")


def check_unfinished(tree, name, text):
    for number, line in enumerate(only_comments(text).splitlines(), 1):
        m = UNFINISHED.search(line)
        if m:
            tree.report(name, number, f"{m[1]}: finish it, or say LATER(condition)")


def check_has_test(tree, name):
    path = pathlib.PurePosixPath(name)
    if path.suffix == ".h":
        return
    test = f"tests/unit/{path.parent.as_posix()}/test_{path.stem}.c"
    tested = (tree.root / test).exists()
    if tested and name in tree.untested:
        tree.report(name, 1, "has a test now; take it out of tests/tidy/untested.txt")
    elif not tested and not tree.untested.get(name):
        tree.report(name, 1, f"no {test}; write it, or say why not in tests/tidy/untested.txt")


def check_tree(root):
    """All breaches in the tree, as lines of text."""
    tree = Tree(root)
    for name, text in tree.files(tree.floors, SOURCES):
        check_includes(tree, name, text)
        check_own_header_first(tree, name, text)
        check_words(tree, name, text)
        check_function_length(tree, name, text)
        check_file_length(tree, name, text)
        check_lead(tree, name, text)
        check_has_test(tree, name)
    for name, text in tree.files([*tree.floors, *TESTS], SOURCES):
        check_lines(tree, name, text)
        check_unfinished(tree, name, text)
    for name, text in tree.files(["tests"], (".py", ".sh")):
        check_lines(tree, name, text)
    for name in tree.untested:
        if not (tree.root / name).exists():
            tree.report("tests/tidy/untested.txt", 1, f"{name} does not exist")
    return tree.breaches


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here
    breaches = check_tree(root)
    print("\n".join(breaches) or "tidy: the rules hold")
    sys.exit(bool(breaches))


if __name__ == "__main__":
    main()
