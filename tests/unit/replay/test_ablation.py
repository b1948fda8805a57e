"""docs/replay.md, "What a line is worth"."""

from builders import a_receipt, an_edit, an_outcome

from ninefold.api.candidates import Candidate
from ninefold.api.edits import Effect
from ninefold.api.outcomes import ReplayRow
from ninefold.replay.ablation import ablations, effect, line, removals, with_effects, without_losers

LOOK = an_edit("Look first.", receipt=a_receipt())
STOP = an_edit("Stop.", receipt=a_receipt())
CANDIDATE = Candidate(id="c", edits=[LOOK, STOP], summary="", predicted_gain=0.1, proposer="p")


def measured(low: float, high: float) -> Effect:
    return Effect(estimate=(low + high) / 2, low=low, high=high, cases=50)


def rows(with_it: list[bool], without: list[bool]) -> list[ReplayRow]:
    return [
        ReplayRow(case_id=str(n), cluster=str(n), outcomes={"all": an_outcome(one), "less": an_outcome(other)})
        for n, (one, other) in enumerate(zip(with_it, without, strict=True))
    ]


def test_every_line_is_left_out_once_and_advice_under_several_conditions_is_one_line():
    oslo, rome = (an_edit("Be brief.", when={"city": city}) for city in ("oslo", "rome"))
    arms = ablations([LOOK, oslo, rome])
    assert [[e.text for e in one.edits] for one in arms] == [["Be brief.", "Be brief."], ["Look first."]]
    assert ablations([oslo, rome]) == []


def test_the_effect_is_with_minus_without_and_has_an_interval():
    found = effect(rows([True] * 30 + [False] * 10, [True] * 10 + [False] * 30), "all", "less")
    assert found is not None
    assert found.estimate == 0.5
    assert 0.3 < found.low < 0.5 < found.high < 0.7
    assert found.cases == 40


def test_four_clusters_are_too_few_for_an_effect():
    assert effect(rows([True] * 4, [False] * 4), "all", "less") is None


def test_receipts_carry_the_effect_and_the_hash_of_the_version_does_not_change():
    found = with_effects(CANDIDATE, {line(LOOK): measured(0.1, 0.3)})
    assert [e.receipt.effect for e in found.edits if e.receipt] == [measured(0.1, 0.3), None]


def test_a_line_that_is_shown_to_harm_leaves_and_one_that_may_help_stays():
    effects = {line(LOOK): measured(-0.3, -0.1), line(STOP): measured(-0.1, 0.1)}
    assert [e.text for e in without_losers(CANDIDATE, effects).edits] == ["Stop."]


def test_a_candidate_never_loses_its_last_line():
    effects = {line(LOOK): measured(-0.3, -0.1), line(STOP): measured(-0.3, -0.1)}
    assert without_losers(CANDIDATE, effects) == CANDIDATE


def test_a_line_of_the_stable_version_that_pays_no_longer_is_proposed_for_removal():
    told = removals([LOOK, STOP], {line(LOOK): measured(-0.05, 0.03), line(STOP): measured(0.0, 0.1)})
    assert len(told) == 1
    assert told[0].startswith("The Refine of system no longer pays: left out, success changes by +1.0 points")
    assert "Look" not in told[0]
