"""tidy.py must see each kind of breach: plant it in a small tree, and look for its line."""
import pathlib
import shutil

import pytest

import tidy

RULES = pathlib.Path(tidy.__file__).parent
LEAD = "/* thing - what it is. */\n"


@pytest.fixture
def tree(tmp_path):
    """A house with the project's own rules and one clean file on two floors."""
    rules = tmp_path / "tests" / "tidy"
    rules.mkdir(parents=True)
    for name in ("floors.txt", "doors.txt", "words.txt"):
        shutil.copy(RULES / name, rules / name)
    for folder in "base alloc model encoding storage wire snapshot promql server".split():
        (tmp_path / folder).mkdir()
    put(tmp_path, "base/clean.h", LEAD + "int clean(void);\n")
    put(tmp_path, "base/clean.c", LEAD + '#include "base/clean.h"\n')
    put(tmp_path, "storage/storage.h", LEAD)
    put(tmp_path, "storage/series.h", LEAD)
    put(tmp_path, "server/server.h", LEAD)
    return tmp_path


def put(tree, name, text):
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    folder, stem = path.parent.name, path.stem
    if path.suffix in (".c", ".cc") and path.parent.parent == tree:
        test = tree / "tests" / "unit" / folder / f"test_{stem}.c"
        test.parent.mkdir(parents=True, exist_ok=True)
        test.write_text(LEAD)


def breaches(tree, name, text):
    put(tree, name, LEAD + text)
    return tidy.check_tree(tree)


def test_a_clean_tree_has_no_breach(tree):
    assert tidy.check_tree(tree) == []


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("storage/bad.c", '#include "server/server.h"\n', "2: storage/ may not look up"),
        ("wire/bad.c", '#include "storage/storage.h"\n', "2: wire/ may not look up or sideways"),
        ("base/bad.h", '#  include "alloc/heap.h"\n', "2: base/ may not look up"),
        ("promql/bad.c", '#include "storage/series.h"\n', "2: storage/series.h is private"),
        ("promql/bad.c", '#include "series.h"\n', '2: "series.h" is not a path from the root'),
        ("storage/bad.c", "#include <sys/mman.h>\n", "2: <sys/mman.h> belongs to alloc/os.c"),
        ("server/bad.c", "#include <snappy-c.h>\n", "2: <snappy-c.h> belongs to wire/frame.c"),
        ("model/bad.cc", "#include <pthread.h>\n", "2: <pthread.h> belongs to base/lock.h"),
        ("snapshot/wal.c", "#include <fcntl.h>\n", "2: <fcntl.h> belongs to snapshot/disk.c"),
        ("base/clean.c", "#include <stdint.h>\n", "2: the first include must be"),
        ("storage/bad.c", "void *p = malloc (3);\n", "2: malloc() is not for here"),
        ("alloc/bad.c", "void f(void) { free(0); }\n", "2: free() is not for here"),
        ("wire/bad.c", "int n = sprintf(s, t);\n", "2: sprintf() is not for here"),
        ("wire/bad.c", "int n = (int)atoi(s);\n", "2: atoi() is not for here"),
        ("promql/bad.c", "long t = time(NULL);\n", "2: time() is not for here"),
        ("server/bad.c", "int e = gettimeofday(&t, 0);\n", "2: gettimeofday() is not"),
        ("server/bad.c", "int e = clock_gettime(a, &t);\n", "2: clock_gettime() is not"),
        ("storage/bad.c", "int r = rand();\n", "2: rand() is not for here"),
        ("server/bad.c", 'int n = printf("x");\n', "2: printf() is not for here"),
        ("server/bad.c", "int n = pthread_create(a);\n", "2: pthread_create() is not"),
        ("snapshot/bad.c", "int n = open(p, 0);\n", "2: open() is not for here"),
        ("base/bad.c", "// TODO later\n", "2: TODO: finish it"),
        ("base/bad.c", "/*\n * FIXME: it leaks\n */\n", "3: FIXME: finish it"),
        ("base/bad.c", "\tint x;\n", "2: a tab"),
        ("base/bad.c", "int x; \n", "2: blanks at the end"),
        ("tests/unit/base/test_x.c", "int x; \n", "2: blanks at the end"),
        ("base/bad.c", "int " + "x" * 97 + ";\n", "2: 102 columns"),
        ("base/bad.c", "int x;", "2: no newline at the end"),
        ("base/bad.c", "int x;\n" * 900, "901: 901 lines"),
        ("base/bad.c", "int f(void)\n{\n" + "    x();\n" * 101 + "}\n", "a function of 101 lines"),
    ],
)
def test_a_breach_is_reported_with_file_and_line(tree, name, text, said):
    found = breaches(tree, name, text)
    assert len(found) == 1, found
    assert found[0].startswith(name + ":")
    assert said in found[0]


def test_a_file_without_a_leading_comment_is_reported(tree):
    put(tree, "base/bad.h", "int x;\n")
    assert tidy.check_tree(tree) == [
        "base/bad.h:1: a file starts with a comment that says what lives there"
    ]


def test_a_source_without_a_test_needs_a_reason(tree):
    put(tree, "base/bad.c", LEAD)
    (tree / "tests/unit/base/test_bad.c").unlink()
    assert "no tests/unit/base/test_bad.c" in tidy.check_tree(tree)[0]
    put(tree, "tests/tidy/untested.txt", "base/bad.c : test_clean.c covers it\n")
    assert tidy.check_tree(tree) == []
    put(tree, "tests/tidy/untested.txt", "base/bad.c :\n")
    assert len(tidy.check_tree(tree)) == 1


def test_a_reason_that_is_no_longer_needed_is_reported(tree):
    put(tree, "tests/tidy/untested.txt", "base/clean.c : it is short\nbase/gone.c : it was\n")
    found = tidy.check_tree(tree)
    assert any("base/clean.c:1: has a test now" in line for line in found)
    assert any("base/gone.c does not exist" in line for line in found)


@pytest.mark.parametrize(
    "text",
    [
        '/* #include "server/server.h" and malloc(3) */\n',
        "/*\n * time(NULL) is elsewhere\n#include <pthread.h>\n */\n",
        "// printf(x)\n",
        'const char *s = "malloc(3) TODO /* sprintf(x) ";\n',
        "const char *s = \"a \\\" quote\", c = '\"'; /* free(x) */\n",
        "int n = stats->free(x) + stats.time(y) + heap_free(z);\n",
        "long t_ms = run_time (3), mtime = clock_wall_ms();\n",
        "int f(void)\n{\n" + "    x();\n" * 100 + "}\n",
        "/* clang-format off */\nint " + "x" * 120 + ";\n/* clang-format on */\n",
        "int " + "x" * 95 + ";\n",
    ],
)
def test_what_only_looks_like_a_breach_is_left_alone(tree, text):
    assert breaches(tree, "wire/good.c", text) == []


@pytest.mark.parametrize(
    "name, text",
    [
        ("alloc/os.c", "#include <sys/mman.h>\nvoid *p = mmap(0);\n"),
        ("base/lock.h", "#include <pthread.h>\n"),
        ("base/clock.c", "int e = clock_gettime(a, &t);\n"),
        ("server/main.c", 'int n = printf("x");\n'),
        ("promql/good.c", '#include "storage/storage.h"\n#include "promql/own.h"\n'),
    ],
)
def test_who_may_does(tree, name, text):
    assert breaches(tree, name, text) == []
