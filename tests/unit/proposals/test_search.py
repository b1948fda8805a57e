"""GEPA as an engine: its traps are closed, and what it finds is an edit like any other. A stand-in writes."""

from typing import Any, cast

import pytest
from builders import a_content, a_pattern, a_report

from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import Outcome
from ninefold.llm import Chat, ModelError
from ninefold.proposals import Evidence, propose
from ninefold.proposals.search import Rewritten, SearchWithGepa, divided

pytest.importorskip("gepa")
RULE = "Ask for the date first."
CASES = [
    Case(case_id=f"c{n}", cluster=f"k{n % 100}", input=f"A room, says a@b.example {n}", succeeded=True)
    for n in range(200)
]
EVIDENCE = Evidence(a_report(a_pattern()), a_content(system="Be brief."))


class Writer:
    """The stand-in: it keeps the current text and adds the rule. `asked` is what it was shown."""

    def __init__(self, error: str | None = None) -> None:
        self.spent, self.error, self.asked = 7, error, list[str]()

    async def ask(self, instructions: str, data: str, shape: type[Rewritten]) -> Rewritten:
        self.asked.append(data)
        if self.error:
            raise ModelError(self.error)
        current = data.split("<current>", 1)[1].split("</current>", 1)[0].strip().strip("`").strip()
        return Rewritten(instructions=f"{current}\n{RULE}")


class Hotel:
    """Solves every second case, and all of them under the rule. `calls` counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, cases: list[Case], content: VersionContent) -> list[Outcome]:
        self.calls += len(cases)
        good = RULE in content.components["system"]
        return [Outcome(success=good or int(case.case_id[1:]) % 3 == 0, steps=3) for case in cases]


def search(hotel: Hotel, writer: Writer, calls: int = 900, **rest: Any) -> SearchWithGepa:
    return SearchWithGepa(cast(Chat, writer), hotel, CASES, calls, **rest)


async def test_what_the_search_adds_is_a_refine_with_its_lineage():
    hotel, writer = Hotel(), Writer()
    made = await propose(EVIDENCE, [search(hotel, writer)], ["Refine"], 4)
    (edit,) = made.candidates[0].edits
    assert (made.candidates[0].id, edit.component, edit.kind) == ("gepa", "system", "Refine")
    assert set(edit.text.splitlines()) == {RULE}
    assert edit.receipt is not None and edit.receipt.proposer == "gepa"
    assert edit.receipt.summary is not None and "validation cases" in edit.receipt.summary
    assert made.reflection_tokens == 7


async def test_no_call_is_made_that_the_budget_does_not_cover():
    for calls in (50, 150, 300):
        hotel = Hotel()
        await search(hotel, Writer(), calls).propose(EVIDENCE)
        assert hotel.calls <= calls


async def test_a_failing_reflection_ends_the_search_and_is_told():
    hotel, writer = Hotel(), Writer(error="the budget of 1000 tokens does not cover another call")
    proposal = await search(hotel, writer).propose(EVIDENCE)
    assert list(proposal.edits) == [] and len(writer.asked) == 1
    assert proposal.refused == ["The search ended: the budget of 1000 tokens does not cover another call."]


async def test_the_model_sees_redacted_inputs_of_train_cases_alone():
    writer = Writer()
    await search(Hotel(), writer).propose(EVIDENCE)
    train, validation = divided(CASES)
    assert not {case.cluster for case in train} & {case.cluster for case in validation}
    shown = "".join(writer.asked)
    assert "a@b.example" not in shown and "<mail address>" in shown


async def test_nothing_is_cached_pickled_or_logged_by_the_engine():
    given: dict[str, Any] = {}

    def engine(seed_candidate: dict[str, str], **settings: Any) -> None:
        given.update(settings)

    await search(Hotel(), Writer(), engine=engine).propose(EVIDENCE)
    assert (given["cache_evaluation"], given["run_dir"], given["use_cloudpickle"]) == (False, None, False)
    assert given["raise_on_exception"] is True


async def test_too_few_clusters_are_no_basis_for_a_search():
    few = SearchWithGepa(cast(Chat, Writer()), Hotel(), CASES[:20], 900)
    assert "20 are needed" in (await few.propose(EVIDENCE)).refused[0]


async def test_what_is_not_better_by_more_than_noise_is_no_proposal():
    class Same(Hotel):
        async def __call__(self, cases: list[Case], content: VersionContent) -> list[Outcome]:
            return [Outcome(success=True, steps=1) for _ in cases]

    assert list((await search(Same(), Writer()).propose(EVIDENCE)).edits) == []
