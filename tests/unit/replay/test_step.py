"""docs/replay.md, "Step": one decision after a recorded beginning, which can only throw a candidate out."""

import random
from collections.abc import Callable

import pytest
from builders import a_content, a_pattern, a_receipt, an_edit

from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case, RecordedCall
from ninefold.api.outcomes import BASELINE
from ninefold.replay import Sieve
from ninefold.replay.places import chose, is_action, place
from ninefold.replay.step import ALPHA, LEAST_SHIFT, Calls
from ninefold.spending import BudgetSpentError

PATTERN = a_pattern("p-1", taken="find_room(name=…)", better="list_rooms()")
LOOK, GUESS, OTHER = [("list_rooms", "{}")], [("find_room", '{"name": "Anna"}')], [("book", "{}")]


def case(n: int, *calls: RecordedCall) -> Case:
    recorded = list(calls) or [RecordedCall(tool="find_room", arguments='{"name": "Berta"}', result="no", error=True)]
    return Case(case_id=f"case-{n}", cluster=f"task-{n}", input="", succeeded=False, recorded=recorded)


CASES = [case(n) for n in range(100)]


def candidate(name: str, *edits: object) -> Candidate:
    return Candidate(id=name, edits=list(edits), summary=name, predicted_gain=0.1, proposer=name)


RULE = candidate("rule", an_edit("First list the rooms.", receipt=a_receipt(pattern="p-1")))


class Model:
    """Decides by arm, and remembers who was asked what."""

    def __init__(self, decide: Callable[[str], Calls | None]) -> None:
        self.decide, self.asked = decide, list[tuple[str, str, int]]()

    async def __call__(self, case: Case, before: int, components: dict[str, str], arm: str) -> Calls | None:
        self.asked.append((case.case_id, arm, before))
        return self.decide(arm)


def sieve(model: Model, most: int = 60) -> Sieve:
    return Sieve(model, a_content(), [PATTERN], most=most, by_metadata=False)


async def test_a_candidate_that_does_not_move_its_decision_does_not_race():
    model = Model(lambda arm: GUESS)
    found = await sieve(model).sift([RULE], CASES)
    assert found.kept == []
    assert found.screened[0].refuted and found.screened[0].known < 60
    assert "moves the decision of pattern p-1 by +0 points" in found.told[0]
    assert {arm for _, arm, _ in model.asked} == {BASELINE, "rule"}


async def test_one_that_moves_it_races():
    found = await sieve(Model(lambda arm: LOOK if arm == "rule" else GUESS)).sift([RULE], CASES)
    assert (found.kept, found.told) == ([RULE], [])
    assert found.screened[0].moved == 1.0


async def test_what_nobody_has_recorded_is_unknown_and_throws_nobody_out():
    found = await sieve(Model(lambda arm: OTHER)).sift([RULE], CASES)
    assert found.kept == [RULE]
    assert found.screened[0].known == 0


async def test_a_model_that_does_not_answer_throws_nobody_out():
    assert (await sieve(Model(lambda arm: None)).sift([RULE], CASES)).kept == [RULE]


async def test_where_the_baseline_chooses_well_already_there_is_nothing_to_refute():
    assert (await sieve(Model(lambda arm: LOOK)).sift([RULE], CASES)).kept == [RULE]


async def test_facts_and_removals_and_what_answers_no_known_pattern_are_not_tried():
    fact = candidate("fact", an_edit("Rooms: 7", kind="InjectContext", receipt=a_receipt(pattern="p-1")))
    mixed = candidate("mixed", *RULE.edits, *fact.edits)
    unknown = candidate("unknown", an_edit("Be brief.", receipt=a_receipt(pattern="p-9")))
    shrinking = RULE.model_copy(update={"id": "shrinking", "removes": ["abc"]})
    model = Model(lambda arm: GUESS)
    tried = [fact, mixed, unknown, shrinking]
    assert (await sieve(model).sift(tried, CASES)).kept == tried
    assert model.asked == []


async def test_history_that_chose_well_is_not_asked_and_a_cluster_is_asked_once():
    well = [case(n, RecordedCall(tool="list_rooms", arguments="{}", result="7")) for n in range(50)]
    twice = [case(99).model_copy(update={"case_id": name}) for name in ("a", "b")]
    model = Model(lambda arm: GUESS)
    await sieve(model).sift([RULE], [*well, *twice])
    assert {name for name, _, _ in model.asked} == {"a"}


async def test_without_budget_nobody_is_thrown_out():
    def spent(arm: str) -> Calls:
        raise BudgetSpentError("all calls are spent")

    assert (await sieve(Model(spent)).sift([RULE], CASES)).kept == [RULE]


async def test_who_moves_a_decision_by_the_least_shift_is_thrown_out_at_most_as_often_as_alpha_says():
    thrown, sessions = 0, 200
    for seed in range(sessions):
        draw = random.Random(f"step/{seed}")
        rates = {BASELINE: 0.3, "rule": 0.3 + LEAST_SHIFT}
        model = Model(lambda arm, draw=draw, rates=rates: LOOK if draw.random() < rates[arm] else GUESS)
        thrown += not (await sieve(model).sift([RULE], CASES)).kept
    assert thrown <= ALPHA * sessions + 2 * (ALPHA * sessions) ** 0.5


FAILED = RecordedCall(tool="book", arguments='{"mode": "fast lane"}', result="error: unknown depot x9", error=True)
WELL = RecordedCall(tool="book", arguments='{"mode": "slow lane"}', result="ok")


@pytest.mark.parametrize(
    ("point", "calls", "expected"),
    [
        ("first call", [WELL], 0),
        ("after the first failed call", [WELL, FAILED, WELL], 2),
        ("after error unknown depot <id>", [WELL, FAILED], 2),
        ("after error unknown depot <id> twice in a row", [FAILED, WELL, FAILED, FAILED], 4),
        ("after error locked", [FAILED], None),
        ("after book(mode=slow …)", [FAILED, WELL], 2),
        ("before book(mode=slow …)", [FAILED, WELL], 1),
        ("after book(mode=slow …) → empty", [WELL], None),
        ("where nobody has been", [WELL], None),
    ],
)
def test_a_decision_is_found_in_the_recorded_calls_of_a_case(point, calls, expected):
    assert place(a_pattern("p", point=point, taken="x()", better=None).decision, calls) == expected


def test_an_action_is_known_by_its_tool_and_the_words_that_its_signature_shows():
    assert is_action("book(mode=slow …, n=<n>)", "book", '{"mode": "Slow lane", "n": 3}')
    assert not is_action("book(mode=slow …)", "book", '{"mode": "fast lane"}')
    assert not is_action("book(mode=slow …)", "cancel", '{"mode": "slow lane"}')


def test_a_losing_call_with_a_value_that_an_edit_has_brought_is_unknown():
    assert chose(PATTERN.decision, GUESS) is False
    assert chose(PATTERN.decision, GUESS, {"anna"}) is None
    assert chose(PATTERN.decision, [*GUESS, *LOOK]) is True
    assert chose(PATTERN.decision, []) is None
