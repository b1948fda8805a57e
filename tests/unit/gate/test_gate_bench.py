"""docs/gate.md, "What was measured": null candidates through the whole gate, and the plots."""

from pathlib import Path
from xml.etree import ElementTree

from bench.gate.__main__ import at_most
from bench.gate.chain import session, sessions
from bench.gate.plots import line_plot
from ninefold.gate import alpha_of


def test_null_candidates_pass_the_whole_gate_no_more_often_than_alpha_allows() -> None:
    ended = list(sessions(60, 120))
    assert sum(one.passed is True for one in ended) <= at_most(60, alpha_of(0.05, 1))
    assert {one.reason for one in ended} <= {"NotImproved", "Inconclusive", "LossNotExcluded", "Proved"}


def test_a_candidate_that_helps_passes_the_same_chain() -> None:
    assert sum(session(str(n), 200, gain=0.3).passed is True for n in range(10)) >= 8


def test_the_binomial_bound_is_that_of_the_tables() -> None:
    assert (at_most(2000, 0.05), at_most(40, alpha_of(0.05, 1))) == (131, 6)


def test_a_plot_is_one_svg_with_a_line_a_series_and_its_texts_escaped(tmp_path: Path) -> None:
    path = tmp_path / "power.svg"
    line_plot(path, "a < b", ("x", "y"), {"one": [(0, 0), (1, 0.5)], "two": [(0, 0.1), (1, 1)]}, level=0.8)
    root = ElementTree.parse(path).getroot()
    assert len(root.findall(".//{*}polyline")) == 2
    assert "a < b" in {text.text for text in root.findall(".//{*}text")}
