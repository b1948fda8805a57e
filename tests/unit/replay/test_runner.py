"""docs/replay.md, "Arms": interleaved, rendered as delivery will, asked once, resumed without paying twice."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from builders import a_content, an_edit

from ninefold.api.agent import Success
from ninefold.api.cases import Case
from ninefold.replay import Arm, Buyer, Endpoint, ReplayFailure, Runner

from .conftest import Clock, DictCache, Reply, Staging, a_till, solved

BASELINE = Arm("baseline", a_content())
RITZ = an_edit("The Ritz has 40 rooms.", when={"hotel": "Ritz"})
CANDIDATE = Arm("c1", a_content(RITZ))
NULL = Arm("control:null", a_content(an_edit("---")))


def cases(number: int, **metadata: Any) -> list[Case]:
    return [
        Case(case_id=f"case-{n}", cluster=f"task-{n}", input=f"request {n}", metadata=metadata, succeeded=True)
        for n in range(number)
    ]


class Bench:
    """A runner over a real endpoint, with stand-ins for the store."""

    def __init__(self, staging: Staging, cache: DictCache, clock: Clock, limit: int = 10_000, **rest: Any) -> None:
        self.endpoint = Endpoint(staging.url, None, 5, model="m", connections=8)
        buyer = Buyer(self.endpoint, Success(score="solved"), a_till(cache, clock, limit), scope="run-1")
        self.rows_done: list[int] = []
        options = {"by_metadata": True, "seed": 3, "concurrency": 4, "progress": self.rows_done.append, **rest}
        self.runner = Runner(buyer, **options)


async def test_every_arm_answers_every_case_and_rows_keep_the_order_of_the_cases(
    staging: Staging, cache: DictCache, clock: Clock
) -> None:
    staging.answer = lambda request: solved(request, float("40 rooms" in request["components"]["system"]))
    bench = Bench(staging, cache, clock)
    rows = await bench.runner.run(cases(10, hotel="Ritz"), [BASELINE, CANDIDATE])
    assert [row.case_id for row in rows] == [f"case-{n}" for n in range(10)]
    assert all(row.outcomes["c1"].success and row.outcomes["baseline"].success is False for row in rows)
    assert (rows[0].cluster, rows[0].outcomes["c1"].tokens) == ("task-0", 100)
    assert bench.rows_done[-1] == 10


async def test_arms_of_a_case_stand_together_and_take_turns_in_going_first(
    staging: Staging, cache: DictCache, clock: Clock
) -> None:
    bench = Bench(staging, cache, clock, concurrency=1)
    await bench.runner.run(cases(40, hotel="Ritz"), [BASELINE, CANDIDATE, NULL])
    asked = [request["case_id"] for request in staging.requests]
    assert asked == [case for case in dict.fromkeys(asked) for _ in range(3)]
    first = Counter(request["components"]["system"] for request in staging.requests[::3])
    assert len(first) == 3
    assert min(first.values()) > 5


async def test_arms_that_render_a_case_alike_are_one_call(staging: Staging, cache: DictCache, clock: Clock) -> None:
    bench = Bench(staging, cache, clock)
    rows = await bench.runner.run(cases(6, hotel="Savoy"), [BASELINE, CANDIDATE])
    assert len(staging.requests) == 6
    assert all(row.outcomes["c1"] == row.outcomes["baseline"] for row in rows)


async def test_mount_renders_without_metadata(staging: Staging, cache: DictCache, clock: Clock) -> None:
    bench = Bench(staging, cache, clock, by_metadata=False)
    await bench.runner.run(cases(3, hotel="Ritz"), [BASELINE, CANDIDATE])
    assert {request["components"]["system"] for request in staging.requests} == {a_content().components["system"]}
    assert staging.requests[0]["metadata"] == {"hotel": "Ritz"}


async def test_never_more_cases_in_flight_than_allowed(staging: Staging, cache: DictCache, clock: Clock) -> None:
    bench = Bench(staging, cache, clock, concurrency=2)
    flying, most, replay = 0, 0, bench.endpoint.replay

    async def counted(request: Any) -> Any:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        try:
            return await replay(request)
        finally:
            flying -= 1

    bench.endpoint.replay = counted  # type: ignore[method-assign]
    await bench.runner.run(cases(12), [BASELINE, NULL])
    assert most == 2


async def test_the_largest_prompt_of_each_arm_counts_also_conditions_that_no_case_met(
    staging: Staging, cache: DictCache, clock: Clock
) -> None:
    long = an_edit("x" * 400, when={"hotel": "Savoy"})
    bench = Bench(staging, cache, clock)
    await bench.runner.run(cases(2, hotel="Ritz"), [BASELINE, Arm("c1", a_content(RITZ, long))])
    assert bench.runner.prompt_tokens["c1"] >= bench.runner.prompt_tokens["baseline"] + 100


async def test_a_case_that_the_budget_cuts_in_two_has_no_row(staging: Staging, cache: DictCache, clock: Clock) -> None:
    bench = Bench(staging, cache, clock, limit=7, concurrency=1)
    rows = await bench.runner.run(cases(10), [BASELINE, NULL])
    assert len(rows) == 3
    assert bench.runner.budget_spent
    assert all(set(row.outcomes) == {"baseline", "control:null"} for row in rows)


async def test_an_overloaded_endpoint_is_waited_for(staging: Staging, cache: DictCache, clock: Clock) -> None:
    failures = [Reply({}, 429, {"Retry-After": "20"}), Reply({}, 500), Reply({}, 500)]
    staging.answer = lambda request: failures.pop() if failures else solved(request)
    bench = Bench(staging, cache, clock, concurrency=1)
    rows = await bench.runner.run(cases(2), [BASELINE])
    assert [row.outcomes["baseline"].success for row in rows] == [True, True]
    assert bench.runner.buyer.counts["paid"] == 4
    assert sum(clock.slept) >= 20


async def test_a_wrong_key_ends_the_replay_with_one_sentence(staging: Staging, cache: DictCache, clock: Clock) -> None:
    staging.answer = lambda _: Reply({"error": "no"}, 401)
    with pytest.raises(ReplayFailure, match="answered HTTP 401"):
        await Bench(staging, cache, clock).runner.run(cases(50), [BASELINE, NULL])
    assert len(staging.requests) < 20


async def test_a_replay_that_is_stopped_half_way_and_run_again_buys_no_call_twice(
    staging: Staging, cache: DictCache, clock: Clock
) -> None:
    half_way = asyncio.Event()
    bench = Bench(staging, cache, clock, progress=lambda done: half_way.set() if done >= 10 else None)
    task = asyncio.create_task(bench.runner.run(cases(40), [BASELINE, NULL]))
    await half_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    paid = len(staging.requests)
    assert 20 <= paid < 80

    again = Bench(staging, cache, clock)
    rows = await again.runner.run(cases(40), [BASELINE, NULL])
    assert len(rows) == 40
    assert len(staging.requests) == 80
    assert set(Counter(headers["idempotency-key"] for headers in staging.headers).values()) == {1}
    assert again.runner.buyer.counts == {"cached": paid, "paid": 80 - paid}
