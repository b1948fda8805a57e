"""Prompts shrink as well as grow: lines that do not pay, and facts that are out of date, are proposed for removal."""

import pytest
from builders import a_content, a_fact, a_pattern, a_receipt, a_report, an_edit
from pydantic import ValidationError

from ninefold.api.candidates import Candidate
from ninefold.api.edits import Effect
from ninefold.proposals import ChooseTool, Evidence, InjectFacts, Proposal, Prune, propose
from ninefold.proposals.conflicts import conflict
from ninefold.versions import edit_hash, extended

KINDS = ["Refine", "InjectContext", "Tool"]
GAP = a_pattern("gap", gain=0.2, facts=[a_fact("suite_7", "suite_8", city="rome")])


def served(text: str, estimate: float, high: float = 0.2, cases: int = 60):
    effect = Effect(estimate=estimate, low=-0.2, high=high, cases=cases)
    return an_edit(text, receipt=a_receipt(effect=effect))


class Fixed:
    name = "fixed"
    kinds = frozenset({"Refine"})

    def __init__(self, *edits, removes=()):
        self._made = Proposal(edits, removes=removes)

    async def propose(self, evidence):
        return self._made


async def test_a_line_without_a_measured_gain_is_left_out_of_the_next_candidate():
    pays, idle = served("Say the price.", 0.1), served("Be polite.", -0.02)
    evidence = Evidence(a_report(GAP), a_content(pays, idle, served("New.", -0.1, cases=5), an_edit("Unmeasured.")))
    (candidate,) = (await propose(evidence, [Prune()], KINDS, 4)).candidates
    assert (candidate.id, candidate.edits, candidate.removes) == ("prune", [], [edit_hash(idle)])
    assert candidate.summary == "without 1 × Refine of system"
    assert pays in extended(evidence.stable, candidate.edits, candidate.removes).edits


async def test_what_git_owns_stays():
    idle = served("Be polite.", -0.02)
    evidence = Evidence(a_report(GAP), a_content(idle), from_git=[idle])
    assert (await propose(evidence, [Prune(), Fixed(removes=[edit_hash(idle)])], KINDS, 4)).candidates == []


async def test_a_removal_has_its_turn_among_candidates_that_promise_more():
    idle = served("Be polite.", -0.02)
    fixed = [Fixed(an_edit(f"Rule {n}.")) for n in range(4)]
    for n, one in enumerate(fixed):
        one.name = f"fixed-{n}"
    made = await propose(Evidence(a_report(GAP), a_content(idle)), [*fixed, Prune()], KINDS, 3)
    assert len(made.candidates) == 3 and made.candidates[-1].id == "prune"


async def test_facts_that_todays_traces_no_longer_show_give_way_to_todays():
    (old,) = (await InjectFacts().propose(Evidence(a_report(GAP), a_content(), "Client"))).edits
    stable = a_content(old)
    renamed = a_pattern("gap", facts=[a_fact("loft_7", "loft_8", city="rome")])
    made = await InjectFacts().propose(Evidence(a_report(renamed), stable, "Client"))
    assert list(made.removes) == [edit_hash(old)] and "loft_7" in made.edits[0].text
    more = a_pattern("gap", facts=[a_fact("suite_7", "suite_8", "suite_9", city="rome")])
    made = await InjectFacts().propose(Evidence(a_report(more), stable, "Client"))
    assert made.removes == [] and "suite_9" in made.edits[0].text and "suite_7" not in made.edits[0].text


def test_a_candidate_changes_something():
    with pytest.raises(ValidationError, match="adds or removes at least one edit"):
        Candidate(id="x", summary="", predicted_gain=0.0, proposer="x")


async def test_an_edit_that_contradicts_a_served_one_is_refused():
    one = a_pattern("a", "ToolSelectionBias", point="first call", taken="pay_cash()", better="pay_card()")
    stable = a_content(an_edit("At the first call, call pay_cash rather than pay_card."))
    made = await propose(Evidence(a_report(one), stable), [ChooseTool()], KINDS, 4)
    assert made.candidates == [] and "it contradicts another edit" in made.refused[0]


@pytest.mark.parametrize(
    ("one", "other", "contradicts"),
    [
        ("After a call of x, call a rather than b.", "After a call of x, call b rather than a.", True),
        ("When a result says paid, call a rather than b.", "When a result says due, call b rather than a.", False),
        ("Always call `a` before calling b.", "Please call b first a.", True),
        ("Say the price.", "Say the price.", False),
    ],
)
def test_opposite_advice_is_a_conflict(one, other, contradicts):
    assert (conflict(an_edit(one), [an_edit(other)]) is not None) is contradicts


def test_advice_for_other_cases_is_none():
    one, other = "After x, call a rather than b.", "After x, call b rather than a."
    assert conflict(an_edit(one, when={"city": "rome"}), [an_edit(other, when={"city": "oslo"})]) is None
    assert conflict(an_edit(one, when={"city": "rome"}), [an_edit(other)]) is not None
