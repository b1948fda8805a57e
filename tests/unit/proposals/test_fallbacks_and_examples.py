"""Fallbacks where nothing wins, examples where a good decision is recorded; and proposers of other packages."""

from importlib.metadata import EntryPoint

import pytest
from builders import a_content, a_pattern, a_report

from ninefold.proposals import Evidence, FallBack, Proposal, ShowExample, deterministic, propose, registry

NOVEL = a_pattern("n", "NovelScenario", point="after error account <id> was merged", taken="again")
EMPTY = a_pattern("e", "HallucinationTrigger", point="after find_guest(name=…) → empty", taken="book(id=…)")
GAP = a_pattern("g", better="list rooms", better_example="LIST rooms in rome")


async def edits(proposer, *patterns, stable=None):
    return list((await proposer.propose(Evidence(a_report(*patterns), stable or a_content()))).edits)


async def test_an_error_that_nothing_mends_ends_in_handing_over():
    (edit,) = await edits(FallBack(), NOVEL, GAP)
    assert (edit.kind, edit.component) == ("Fallback", "system")
    assert edit.text.endswith("say what was tried and what is missing, and hand the case over.")
    assert "merged" not in edit.text


async def test_after_an_empty_result_nothing_is_invented():
    (edit,) = await edits(FallBack(), EMPTY)
    assert edit.text.startswith("When a call of find_guest finds nothing, say so or ask;")
    other = EMPTY.model_copy(update={"decision": EMPTY.decision.model_copy(update={"point": "first call"})})
    assert await edits(FallBack(), other) == []


async def test_a_fallback_goes_where_git_keeps_fallbacks():
    stable = a_content(system="Be brief.", fallback_any="Ask.", fallback_find_room="Call the desk.")
    assert [e.component for e in await edits(FallBack(), NOVEL, stable=stable)] == ["fallback.find_room"]
    stable = a_content(system="Be brief.", fallback_any="Ask.")
    assert [e.component for e in await edits(FallBack(), NOVEL, stable=stable)] == ["fallback.any"]


async def test_an_example_shows_the_shape_of_a_recorded_call_and_nothing_of_its_particulars():
    (edit,) = await edits(ShowExample(), GAP, NOVEL)
    assert edit.kind == "Example"
    assert edit.text == "Example of a good step at the first call: `LIST rooms …`, then go on with what it shows."


async def test_examples_are_proposed_only_where_the_policy_asks_for_them():
    evidence = Evidence(a_report(GAP), a_content())
    assert (await propose(evidence, [ShowExample()], ["Refine"], 4)).candidates == []
    assert (await propose(evidence, [ShowExample()], ["Example"], 4)).candidates[0].id == "show-example"


def test_the_house_asks_in_order_of_cost():
    assert [p.name for p in deterministic()] == [
        "inject-facts", "look-before-acting", "stop-repeating", "choose-tool", "fall-back", "show-example", "prune",
    ]  # fmt: skip


class Theirs:
    name = "theirs"
    kinds = frozenset({"Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        return Proposal()


async def test_other_packages_bring_proposers_along_and_a_broken_one_is_told(monkeypatch: pytest.MonkeyPatch):
    points = [
        EntryPoint("b", f"{__name__}:Theirs", registry.GROUP),
        EntryPoint("a", "no.such.package:X", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Theirs if self.name == "b" else __import__("no.such.package"))
    found = deterministic()
    assert [p.name for p in found[-2:]] == ["unloadable", "theirs"]
    made = await propose(Evidence(a_report(GAP), a_content()), found[-2:], ["Refine"], 4)
    assert made.refused == [
        "The proposer 'a' of the entry point group ninefold.proposers could not be made: ModuleNotFoundError."
    ]
