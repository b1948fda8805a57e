"""docs/replay.md, "Selection": rounds, merging, strata, receipts; and the looks at the sealed cases."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from builders import a_content, a_pattern, a_receipt, an_edit

from ninefold.api.agent import Success
from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case
from ninefold.api.edits import Edit
from ninefold.api.outcomes import BASELINE
from ninefold.replay import Answer, Buyer, Request, Runner, Tournament, prove
from ninefold.replay.proof import looks
from ninefold.replay.tournament import halves

from .conftest import Clock, DictCache, a_till

CITIES = ("bonn", "oslo", "rome")


class Endpoint:
    """A replayer whose outcome is a function of metadata and the system prompt."""

    name = "here"
    identity: ClassVar = {"mode": "Test"}

    def __init__(self, solves: Callable[[str, int, str], bool]) -> None:
        self.solves = solves
        self.asked: list[Request] = []

    async def replay(self, request: Request) -> Answer:
        self.asked.append(request)
        solved = self.solves(request.metadata["city"], request.metadata["n"], request.components["system"])
        return Answer(scores={"solved": float(solved)}, steps=1, tokens=10)


def case(n: int) -> Case:
    city = CITIES[n % 3]
    return Case(
        case_id=f"case-{n}",
        cluster=f"task-{n}",
        intent=city,
        input="",
        metadata={"city": city, "n": n},
        succeeded=n % 2 == 0,
    )


CASES = [case(n) for n in range(120)]


def candidate(name: str, *edits: Edit) -> Candidate:
    return Candidate(id=name, edits=list(edits), summary=name, predicted_gain=0.1, proposer=name)


RULE = candidate("rule", an_edit("Look first.", receipt=a_receipt(pattern="p-1")))
OTHER = candidate("other", an_edit("Stop repeating.", receipt=a_receipt(pattern="p-2")))
LOOKING = a_pattern("p-1", better="list_rooms()")
IDLE = candidate("idle", an_edit("Be kind.", receipt=a_receipt(pattern="p-3")))


@pytest.fixture
def running(cache: DictCache) -> Callable[[Endpoint], Runner]:
    def make(endpoint: Endpoint) -> Runner:
        buyer = Buyer(endpoint, Success(score="solved"), a_till(cache, Clock(), retries=0), scope="run")
        return Runner(buyer, by_metadata=True, seed=0, concurrency=1, progress=lambda _: None)

    return make


def test_failures_go_first_and_with_the_successes_of_their_half_they_are_balanced():
    failed, solved, rest = halves(CASES)
    assert {c.succeeded for c in failed} == {False}
    assert sorted(c.case_id for c in (*failed, *solved)) == sorted(c.case_id for c in CASES[:60])
    assert rest == CASES[60:]


async def test_two_that_stand_and_answer_different_patterns_win_together(running):
    def solves(city: str, n: int, prompt: str) -> bool:
        return n % 2 == 0 or (n % 4 == 1 and "Look" in prompt) or (n % 4 == 3 and "Stop" in prompt)

    found = await Tournament(running(Endpoint(solves)), a_content(), "city").select([RULE, OTHER], CASES)
    assert found.candidate is not None
    assert found.candidate.id == "rule+other"
    effects = [e.receipt.effect for e in found.candidate.edits if e.receipt]
    assert all(effect is not None and effect.low > 0.1 for effect in effects)


async def test_where_a_rule_does_harm_it_is_not_delivered(running):
    def harmful_in_rome(city: str, n: int, prompt: str) -> bool:
        return n % 10 < (9 if city != "rome" else 1) if "Look" in prompt else n % 10 < 5

    found = await Tournament(running(Endpoint(harmful_in_rome)), a_content(), "city").select([RULE], CASES)
    assert found.candidate is not None
    assert {e.when["city"] for e in found.candidate.edits if e.when} == {"bonn", "oslo"}
    assert "in 1 of 3 strata another choice is clearly better" in found.why


async def test_without_a_key_nothing_becomes_conditional(running):
    def harmful_in_rome(city: str, n: int, prompt: str) -> bool:
        return n % 10 < (9 if city != "rome" else 1) if "Look" in prompt else n % 10 < 5

    found = await Tournament(running(Endpoint(harmful_in_rome)), a_content(), None).select([RULE], CASES)
    assert found.candidate is not None
    assert [e.when for e in found.candidate.edits] == [None]


async def test_where_one_cause_does_the_harm_the_other_lines_stay(running):
    both = candidate(
        "both",
        an_edit("Look first.", receipt=a_receipt(pattern="p-1")),
        an_edit("Look again.", receipt=a_receipt(pattern="p-1")),
        an_edit("Stop repeating.", receipt=a_receipt(pattern="p-2")),
    )

    def looking_harms_rome(city: str, n: int, prompt: str) -> bool:
        if city == "rome" and "Look" in prompt:
            return False
        return n % 10 < 5 + 2 * ("Look" in prompt) + 2 * ("Stop" in prompt)

    found = await Tournament(running(Endpoint(looking_harms_rome)), a_content(), "city", [LOOKING]).select(
        [both], CASES
    )
    assert found.candidate is not None
    in_rome = [e.text for e in found.candidate.edits if e.when == {"city": "rome"}]
    assert in_rome == ["Stop repeating."]


async def test_a_stratum_without_a_clear_answer_gets_the_rest_of_its_cases(running):
    def mixed_in_rome(city: str, n: int, prompt: str) -> bool:
        return n % 10 < (9 if city != "rome" else 4 + n % 2) if "Look" in prompt else n % 10 < 4

    found = await Tournament(running(Endpoint(mixed_in_rome)), a_content(), "city").select([RULE], CASES)
    ran = [row.intent for row in found.rows]
    assert ran.count("rome") > ran.count("bonn") == 20


async def test_a_clear_leader_is_not_run_to_the_end(running):
    found = await Tournament(running(Endpoint(lambda c, n, p: "Look" in p)), a_content(), "city").select(
        [RULE, IDLE], CASES
    )
    assert found.candidate == RULE
    assert len(found.rows) == 60


async def test_a_candidate_that_never_moves_drops_out_after_the_failures(running):
    def solves(city: str, n: int, prompt: str) -> bool:
        return n % 2 == 0 or (n % 4 == 1 and "Look" in prompt)

    found = await Tournament(running(Endpoint(solves)), a_content(), "city").select([RULE, IDLE], CASES)
    assert sum("idle" in row.outcomes for row in found.rows) == 20
    assert sum("rule" in row.outcomes for row in found.rows) >= 60


async def test_nobody_is_frozen_when_nothing_helps(running):
    found = await Tournament(running(Endpoint(lambda c, n, p: n % 2 == 0)), a_content(), "city").select([IDLE], CASES)
    assert (found.candidate, found.removals) == (None, [])


async def test_a_stable_line_that_no_longer_pays_is_named(running):
    stable = a_content(an_edit("Mind the gap."))
    found = await Tournament(running(Endpoint(lambda c, n, p: "Look" in p)), stable, None).select([RULE], CASES)
    assert len(found.removals) == 1


def test_a_look_never_parts_a_cluster():
    pairs = [case(n).model_copy(update={"cluster": f"task-{n // 7}"}) for n in range(120)]
    batches = looks(pairs)
    where = {c.case_id: place for place, batch in enumerate(batches) for c in batch}
    assert len(batches) > 1
    assert all(len({where[c.case_id] for c in pairs if c.cluster == f"task-{t}"}) == 1 for t in range(18))


async def test_the_sealed_replay_ends_at_the_look_that_is_enough(running):
    runner = running(Endpoint(lambda c, n, p: "Look" in p))
    arms, rows = await prove(runner, a_content(), RULE, CASES, lambda arms, rows: len(rows) >= 80)
    assert arms == [BASELINE, "rule", "control:null"]
    assert len(rows) == 80
