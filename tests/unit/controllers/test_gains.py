"""What a sealed replay says of the predictions behind its candidate."""

from typing import Any

import pytest
from builders import a_receipt, an_edit

from ninefold.api.edits import Edit, Effect
from ninefold.api.run import Figures, PatternSummary
from ninefold.controllers.gains import gains
from ninefold.versions.ledger import Ledger


def pattern(name: str, predicted: float = 0.2, counted: float = 0.25) -> PatternSummary:
    return PatternSummary(
        id=name, kind="ContextGap", nines_lost=0.1, failures=9, summary="s", predicted_gain=predicted,
        counted_gain=counted,
    )  # fmt: skip


def edit(name: str, gain: float, effect: float | None = None, **rest: Any) -> Edit:
    measured = None if effect is None else Effect(estimate=effect, low=effect, high=effect, cases=100)
    return an_edit(name, receipt=a_receipt(pattern=name, predicted_gain=gain, effect=measured), **rest)


GAIN = Figures(gain=0.12, pairs=300)


def test_one_edit_that_answers_one_pattern_has_all_of_the_gain():
    (found,) = gains("run", [edit("a", 0.2)], [pattern("a")], GAIN)
    assert (found.pattern, found.kind, found.counted, found.replayed, found.pairs) == (
        "a",
        "ContextGap",
        0.25,
        0.12,
        300,
    )


def test_a_conditional_edit_answers_a_part_of_what_was_counted():
    (found,) = gains("run", [edit("a", 0.05)], [pattern("a")], GAIN)
    assert found.counted == pytest.approx(0.0625)


def test_the_gain_is_shared_by_what_the_lines_were_worth_when_left_out():
    edits = [edit("a", 0.2, effect=0.3), edit("b", 0.2, effect=0.1)]
    shared = {r.pattern: r.replayed for r in gains("run", edits, [pattern("a"), pattern("b")], GAIN)}
    assert shared == pytest.approx({"a": 0.09, "b": 0.03})


def test_the_gain_is_shared_by_what_was_counted_when_a_line_was_not_left_out():
    edits = [edit("a", 0.2, effect=0.3), edit("b", 0.2)]
    shared = {r.pattern: r.replayed for r in gains("run", edits, [pattern("a"), pattern("b", counted=0.75)], GAIN)}
    assert shared == pytest.approx({"a": 0.03, "b": 0.09})


def test_harm_is_recorded_as_harm():
    (found,) = gains("run", [edit("a", 0.2)], [pattern("a")], Figures(gain=-0.05, pairs=300))
    assert found.replayed == -0.05


def test_without_a_measured_gain_or_a_known_pattern_nothing_is_recorded():
    assert gains("run", [edit("a", 0.2)], [pattern("a")], Figures()) == []
    assert gains("run", [edit("a", 0.2), an_edit("no receipt")], [pattern("other")], GAIN) == []


def test_the_ledger_keeps_what_a_run_said_once():
    first = gains("run", [edit("a", 0.2)], [pattern("a")], GAIN)
    ledger = Ledger().measured(first).measured(first)
    assert ledger.gains == first
    assert ledger.measured([]) == ledger
