"""What run.py makes of figures: aims, tables, and the published page."""
import pathlib

import aims
import compare
import tables
from figures import Figures

HERE = pathlib.Path(__file__).parent
PUBLISHED = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"


def figures_of(**steady):
    """Of 100,000 series, by server."""
    figures = Figures()
    figures.scales["100000x120"] = {
        "rows": {server: {aims.STEADY: value} for server, value in steady.items()},
        "queries": {"q": {server: {"cpu_ms": value, "p50_ms": 1} for server, value in steady.items()}},
        "differences": {"q": {server: "=" for server in steady}}}
    return figures


def aim_rows(figures, beginning):
    return [row for row in aims.rows(figures, tables.number) if row[0].startswith(beginning)]


def test_an_aim_is_met_missed_or_not_measured():
    met = aim_rows(figures_of(Hearth=0.09, Prometheus=6, VictoriaMetrics=0.8), "a sample, 100,000 series")
    assert [row[1:] for row in met] == [["at most 0.1 us of CPU", "0.0727", "0.0900", "yes"],
                                        ["at least 60 times less", "", "66.7", "yes"], ["at least 10 times less", "", "8.89", "**no**"]]
    assert {tuple(row[2:]) for row in aims.rows(Figures(), tables.number)} == {("", "-", "-")}


def test_a_bound_on_time_moves_with_the_machine():
    def first(hearth, prometheus, victoria):
        return aim_rows(figures_of(Hearth=hearth, Prometheus=prometheus, VictoriaMetrics=victoria), "a sample, 100,000 series")[0][2:]

    assert first(0.19, 2 * 6.17, 2 * 1.10) == ["0.200", "0.190", "at this machine's speed"]
    assert first(0.21, 2 * 6.17, 2 * 1.10) == ["0.200", "0.210", "**no**"]
    assert first(0.21, 4 * 6.17, 2 * 1.10) == ["0.200", "0.210", "**no**"]
    assert aim_rows(figures_of(Hearth=0.19), "a sample, 100,000 series")[0][2:] == ["", "0.190", "**no**"]


def test_of_all_queries_the_worst_counts():
    figures = figures_of(Hearth=2, Prometheus=6, VictoriaMetrics=8)
    figures.scales["100000x120"]["queries"]["slow"] = {
        "Hearth": {"cpu_ms": 4}, "Prometheus": {"cpu_ms": 3}, "VictoriaMetrics": {"error": "422"}}
    prometheus, victoria = aim_rows(figures, "any query")
    assert prometheus[3:] == ["0.750", "**no**"] and victoria[3:] == ["4.00", "yes"]


def test_a_query_that_failed_somewhere_says_so():
    found = {"Hearth": {"cpu_ms": 1, "p50_ms": 1}, "Prometheus": {"error": "422 too many samples"}}
    assert tables.query_row("q", found, {"Prometheus": "-"}, ["Hearth", "Prometheus"], ["Prometheus"]) == \
        ["q", "ok", "422 too many samples"]


def test_figures_survive_the_file(tmp_path):
    file = tmp_path / "results.json"
    figures = Figures(file)
    figures.put("100000x120", figures_of(Hearth=1).scales["100000x120"])
    assert Figures(file).value("100000x120", aims.STEADY) == 1
    assert Figures(file).value("100000x120", "q") == 1
    assert Figures(file).ratio("100000x120", "q", "Prometheus") is None


def test_answers_are_compared_by_labels_times_and_values():
    def matrix(*points):
        return {"result": [{"metric": {"a": "b"}, "values": [[t, str(v)] for t, v in points]}]}

    assert compare.difference(matrix((1, 2)), matrix((1, 2))) == "="
    assert compare.difference(matrix((1, "NaN")), matrix((1, "NaN"))) == "="
    assert compare.difference(matrix((1, 2)), matrix((1, 1))) == "0.5"
    assert compare.difference(matrix((1, 2)), matrix((2, 2))) == "steps differ"
    assert compare.difference(matrix((1, 2)), {"result": []}) == "1 series differ"
    assert compare.difference(["a"], ["a", "b"]) == "1 series differ"


def test_the_published_page_is_what_was_measured(tmp_path):
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())
    tables.write(Figures(PUBLISHED), copy)
    assert copy.read_text() == PAGE.read_text(), "run.py --results bench/results.json --page writes it anew"
