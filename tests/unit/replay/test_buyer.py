"""docs/replay.md, "Retries, budget, restarts": an answer is bought once, with patience, and not in vain."""

from collections.abc import Callable
from typing import Any

import pytest

from ninefold.api.agent import Success
from ninefold.replay import Answer, Buyer, PassingError, RejectedError, ReplayFailure, Request
from ninefold.replay.watch import ALIKE_CASES, SILENT_CASES
from ninefold.spending import BudgetSpentError

from .conftest import Clock, DictCache, a_till

GOOD = Answer(scores={"solved": 1.0}, steps=4, error_steps=1, tokens=120)


class Script:
    """A mode that answers by script: the n-th try gets the n-th entry, the last one for ever."""

    name = "staging.example"

    def __init__(self, *script: Answer | Exception) -> None:
        self.script = list(script)
        self.tries: list[str] = []

    @property
    def identity(self) -> dict[str, Any]:
        return {"mode": "Script"}

    async def replay(self, request: Request) -> Answer:
        step = self.script[min(len(self.tries), len(self.script) - 1)]
        self.tries.append(request.case_id)
        if isinstance(step, Exception):
            raise step
        return step


def request(case: object = 1, system: str = "You book rooms.") -> Request:
    return Request(f"case-{case}", "A room", {}, {"system": system}, 0)


Make = Callable[..., tuple[Buyer, Script]]


@pytest.fixture
def make(cache: DictCache, clock: Clock) -> Make:
    def build(
        *script: Answer | Exception, retries: int = 3, limit: int = 10_000, score: str = "solved", scope: str = "run-1"
    ) -> tuple[Buyer, Script]:
        mode = Script(*script)
        till = a_till(cache, clock, limit, retries)
        buyer = Buyer(mode, Success(score=score, at_least=0.5), till, scope=scope)
        return buyer, mode

    return build


async def test_an_outcome_is_judged_by_the_score_that_the_agent_names(make: Make) -> None:
    buyer, _ = make(GOOD, Answer(scores={"solved": 0.49}))
    first, second = await buyer.outcome(request(1)), await buyer.outcome(request(2))
    assert (first.success, first.score, first.steps, first.error_steps, first.tokens) == (True, 1.0, 4, 1, 120)
    assert second.success is False


async def test_what_was_answered_is_never_asked_again_also_by_another_pod(make: Make) -> None:
    buyer, _ = make(GOOD)
    await buyer.outcome(request())
    restarted, mode = make(GOOD)
    assert (await restarted.outcome(request())).success is True
    assert mode.tries == []
    assert restarted.counts == {"cached": 1}


async def test_another_prompt_or_another_run_is_another_call(make: Make) -> None:
    buyer, mode = make(GOOD)
    await buyer.outcome(request())
    await buyer.outcome(request(system="You sell rooms."))
    later, mode_later = make(GOOD, scope="run-2")
    await later.outcome(request())
    assert (len(mode.tries), len(mode_later.tries)) == (2, 1)


async def test_a_passing_error_is_tried_again_after_growing_waits(make: Make, clock: Clock) -> None:
    buyer, mode = make(PassingError("HTTP 500"), PassingError("HTTP 500"), GOOD)
    assert (await buyer.outcome(request())).success is True
    assert len(mode.tries) == 3
    assert clock.slept == [0.5, 1.0]


async def test_waits_are_capped(make: Make, clock: Clock) -> None:
    buyer, _ = make(PassingError("HTTP 500"), retries=10)
    await buyer.outcome(request())
    assert max(clock.slept) == 30


async def test_the_wait_that_the_endpoint_asks_for_holds_back_every_call(make: Make, clock: Clock) -> None:
    buyer, _ = make(PassingError("HTTP 429", wait=60), GOOD)
    begun = clock.now
    assert (await buyer.outcome(request(1))).success is True
    assert clock.now - begun >= 60


async def test_a_wait_of_an_hour_is_not_waited_for(make: Make, clock: Clock) -> None:
    buyer, mode = make(PassingError("HTTP 429", wait=3600))
    assert (await buyer.outcome(request())).error == "HTTP 429"
    assert (len(mode.tries), clock.slept) == (1, [])


async def test_after_the_last_retry_the_outcome_is_unknown_and_nothing_is_remembered(make: Make) -> None:
    buyer, mode = make(PassingError("HTTP 503"), retries=2)
    outcome = await buyer.outcome(request())
    assert (outcome.success, outcome.error, len(mode.tries)) == (None, "HTTP 503", 3)
    later, _ = make(GOOD)
    assert (await later.outcome(request())).success is True


async def test_a_rejection_is_unknown_at_once_and_not_remembered(make: Make, cache: DictCache) -> None:
    buyer, mode = make(RejectedError("HTTP 400 context_length_exceeded", 400))
    outcome = await buyer.outcome(request())
    assert (outcome.success, outcome.error) == (None, "HTTP 400 context_length_exceeded")
    assert (len(mode.tries), cache.answers) == (1, {})
    assert buyer.counts == {"paid": 1, "unknown": 1}


async def test_every_try_is_booked_before_it_is_made(make: Make) -> None:
    buyer, mode = make(PassingError("HTTP 500"), GOOD, limit=2)
    await buyer.outcome(request(1))
    with pytest.raises(BudgetSpentError):
        await buyer.outcome(request(2))
    assert len(mode.tries) == 2
    # What was paid is still served.
    assert (await buyer.outcome(request(1))).success is True


# ---------------------------------------------------------------- when it makes no sense to go on


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (401, "EndpointUnauthorized", "apiKeySecretRef"),
        (403, "EndpointUnauthorized", "key"),
        (404, "EndpointNotFound", "url"),
    ],
)
async def test_the_first_cases_all_refused_alike_end_the_replay_with_host_and_status(
    make: Make, status: int, reason: str, said: str
) -> None:
    buyer, _ = make(RejectedError(f"HTTP {status}", status))
    for case in range(ALIKE_CASES - 1):
        await buyer.outcome(request(case))
    with pytest.raises(
        ReplayFailure, match=f"at staging.example answered HTTP {status} for each of the first 5"
    ) as end:
        await buyer.outcome(request("last"))
    assert (end.value.reason, end.value.permanent) == (reason, True)
    assert said in end.value.message


async def test_one_unknown_case_under_many_arms_does_not_end_it(make: Make) -> None:
    buyer, _ = make(RejectedError("HTTP 404", 404))
    for arm in range(20):
        assert (await buyer.outcome(request(1, system=f"arm {arm}"))).success is None


async def test_refusals_after_a_success_are_unknown_outcomes(make: Make) -> None:
    buyer, _ = make(GOOD, RejectedError("HTTP 404", 404))
    assert [(await buyer.outcome(request(case))).success for case in range(20)] == [True, *[None] * 19]


async def test_answers_outside_the_contract_end_it(make: Make) -> None:
    buyer, _ = make(RejectedError("the answer is not of the contract: scores: missing"))
    with pytest.raises(ReplayFailure, match=r"scores: missing.*docs/replay\.md") as end:
        for case in range(ALIKE_CASES):
            await buyer.outcome(request(case))
    assert end.value.reason == "BadAnswers"


async def test_a_score_that_nobody_returns_ends_it_naming_the_score(make: Make) -> None:
    buyer, _ = make(GOOD, score="resolved")
    with pytest.raises(ReplayFailure, match="returned no score named resolved") as end:
        for case in range(ALIKE_CASES):
            await buyer.outcome(request(case))
    assert (end.value.reason, end.value.permanent) == ("NoSuchScore", True)


async def test_case_after_case_without_an_answer_ends_it_for_now(make: Make) -> None:
    buyer, mode = make(PassingError("no connection (ConnectError)"), retries=1)
    with pytest.raises(ReplayFailure, match="gave no answer to 10 cases in a row") as end:
        for case in range(SILENT_CASES):
            await buyer.outcome(request(case))
    assert (end.value.reason, end.value.permanent) == ("EndpointUnavailable", False)
    assert len(mode.tries) == 2 * SILENT_CASES


async def test_an_answer_in_between_shows_that_it_is_not_down(make: Make) -> None:
    script = [*[PassingError("HTTP 503")] * (SILENT_CASES - 1), GOOD] * 2
    buyer, _ = make(*script, retries=0)
    outcomes = [await buyer.outcome(request(case)) for case in range(2 * SILENT_CASES)]
    assert sum(outcome.success is True for outcome in outcomes) == 2
