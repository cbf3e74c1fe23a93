"""What run.py makes of the programs' output: goals, tables, charts, and the published page."""
import pathlib
import xml.etree.ElementTree

import chart
import goals
import page
from results import Results, parse

HERE = pathlib.Path(__file__).parent
PUBLISHED = HERE / "results.json"
PAGE = HERE.parents[1] / "docs" / "alloc-performance.md"


def measured(**node_bytes):
    results = Results()
    for allocator, value in node_bytes.items():
        results.put("list", "", allocator, parse(f"list node_bytes {value}\n"))
    return results


def list_row(results):
    return next(r for r in goals.rows(results) if r[0].startswith("list"))


def test_lines_become_numbers():
    assert parse("turn number 1 high 2.5\n") == [{"what": "turn", "number": 1, "high": 2.5}]


def test_a_run_replaces_the_one_before_and_survives_the_file(tmp_path):
    file = tmp_path / "results.json"
    results = Results(file)
    results.put("list", "", "glibc", parse("list node_bytes 1"))
    results.put("list", "", "glibc", parse("list node_bytes 2"))
    again = Results(file)
    assert len(again.runs) == 1
    assert again.value("list", "", "glibc", "list", "node_bytes") == 2


def test_a_goal_is_met_missed_or_not_measured():
    assert list_row(measured(hearth=16.04, tcmalloc=16.09, glibc=32))[3:] == \
        ["16.04", "yes", "16.09 (tcmalloc)"]
    assert list_row(measured(hearth=16.2))[4] == "**no**"
    assert list_row(measured())[3:5] == ["-", "-"]


def test_a_bound_on_time_moves_with_its_anchor():
    results = Results()
    for allocator, ns in (("tcmalloc", 8.4), ("hearth", 5.0)):
        for threads in ("1 thread", "2 threads"):
            results.put("speed", threads, allocator, parse(f"pair size 64 ns {ns}"))
    row = next(r for r in goals.rows(results) if r[0].startswith("speed: pair"))
    assert row[2:5] == ["6", "5", "at this machine's speed"]


def test_a_chart_is_svg_with_a_line_and_a_name_for_each():
    drawn = chart.draw(chart.Chart("t", "x", "y", {"a & b": [(0, 1), (2, 30)], "c": [(1, 0)]}))
    text = " ".join(xml.etree.ElementTree.fromstring(drawn).itertext())
    assert "a & b" in text and " c " in text + " "
    assert drawn.count("<polyline") == 2


def test_the_published_page_is_what_was_measured(tmp_path):
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())
    page.write(Results(PUBLISHED), copy)
    assert copy.read_text() == PAGE.read_text(), "run.py --results results.json --page writes it anew"
    for drawn in (tmp_path / "images").iterdir():
        assert drawn.read_text() == (PAGE.parent / "images" / drawn.name).read_text()
