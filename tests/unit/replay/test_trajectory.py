"""docs/replay.md, "Trajectory": the agent's loop on recorded results; what nobody has recorded is unknown, no pass."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from builders import a_content, an_edit
from model_standin import model_standin, refuses

from ninefold.api.agent import AgentModel, Success
from ninefold.api.cases import Case, RecordedCall
from ninefold.api.replaying import AgentTool, ReplaySandbox
from ninefold.jobs.modes import coverage
from ninefold.llm import Completions
from ninefold.replay import Arm, Buyer, Runner, Sandbox, Trajectory
from ninefold.replay.recorded import Recording, canonical_arguments, shared

from .conftest import Clock, DictCache, Reply, Staging, a_till

ROOMS = AgentTool(
    name="find_room",
    description="Finds a room.",
    parameters={"type": "object", "properties": {"floor": {"type": "integer"}, "view": {"default": "any"}}},
)
GOOD = Success.model_validate({"rules": [{"regex": {"pattern": "Room 7"}}]})
Model = Callable[[dict[str, Any]], tuple[int, Any]]


def case(n: int, *recorded: RecordedCall) -> Case:
    return Case(case_id=f"case-{n}", cluster=f"c-{n}", input="A room", succeeded=True, recorded=list(recorded))


def call(floor: Any = 3, result: str = "Room 7", **rest: Any) -> RecordedCall:
    return RecordedCall(tool="find_room", arguments=json.dumps({"floor": floor}), result=result, **rest)


def message(text: str | None = None, **arguments: Any) -> tuple[int, Any]:
    """What a model says: a text, or a call of find_room."""
    function = {"name": "find_room", "arguments": json.dumps(arguments)}
    calls = [{"id": "call-1", "type": "function", "function": function}] if arguments else None
    said = {"role": "assistant", "content": text, "tool_calls": calls}
    return 200, {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }


def asks_then_repeats(body: dict[str, Any]) -> tuple[int, Any]:
    """An agent that asks for floor 3, or for floor 9 when it is told to, and answers with what it hears."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return message(last["content"])
    return message(floor=9 if "floor 9" in body["messages"][0]["content"] else 3)


@asynccontextmanager
async def a_runner(
    answer: Model, cases: list[Case], cache: DictCache, clock: Clock, sandbox: Sandbox | None = None, **rest: Any
) -> AsyncIterator[tuple[Runner, list[dict[str, Any]]]]:
    with model_standin(answer) as standin:
        model = AgentModel.model_validate({"name": "m-1", "endpoint": standin.url, "parameters": {"temperature": 0.0}})
        async with Completions(model, None, 5) as completions:
            mode = Trajectory(
                completions, rest.pop("tools", [ROOMS]), cases, max_steps=rest.pop("max_steps", 5), sandbox=sandbox
            )
            buyer = Buyer(mode, GOOD, a_till(cache, clock, **rest), scope="run-1")
            yield Runner(buyer, True, 3, 1, lambda _: None), standin.requests


BASELINE = Arm("baseline", a_content())
NINTH = Arm("ninth", a_content(an_edit("Ask for floor 9.")))


async def test_the_loop_offers_the_tools_and_answers_from_the_recording(cache: DictCache, clock: Clock) -> None:
    async with a_runner(asks_then_repeats, [case(1, call())], cache, clock) as (runner, requests):
        [row] = await runner.run([case(1, call())], [BASELINE])
    outcome = row.outcomes["baseline"]
    assert (outcome.success, outcome.graded_by, outcome.steps, outcome.tokens) == (True, "rules", 1, 20)
    first, second = requests
    assert first["messages"][0]["role"] == "system" and first["messages"][1] == {"role": "user", "content": "A room"}
    assert first["tools"][0]["function"]["name"] == "find_room" and (first["temperature"], first["seed"]) == (0.0, 3)
    assert second["messages"][-1] == {"role": "tool", "tool_call_id": "call-1", "content": "Room 7"}


async def test_what_nobody_has_recorded_is_unknown_and_told_as_coverage(cache: DictCache, clock: Clock) -> None:
    cases = [case(n, call()) for n in range(4)]
    async with a_runner(asks_then_repeats, cases, cache, clock) as (runner, _):
        rows = await runner.run(cases, [BASELINE, NINTH])
    assert [row.outcomes["ninth"].success for row in rows] == [None] * 4
    assert rows[0].outcomes["ninth"].error == "nobody has recorded what find_room answers to these arguments"
    told = {arm: (one.cases, one.unknown, one.tool_calls, one.tool_answers) for arm, one in coverage(rows).items()}
    assert told == {"baseline": (4, 0, 4, 4), "ninth": (4, 4, 4, 0)}


async def test_after_a_failure_only_what_is_missing_is_bought(cache: DictCache, clock: Clock) -> None:
    replies = iter([message(floor=3), refuses(500), message("Room 7")])
    cases = [case(1, call())]
    async with a_runner(lambda body: next(replies), cases, cache, clock, retries=0) as (runner, requests):
        [failed] = await runner.run(cases, [BASELINE])
        [again] = await runner.run(cases, [BASELINE])
    assert (failed.outcomes["baseline"].success, again.outcomes["baseline"].success) == (None, True)
    assert len(requests) == 3


async def test_refusals_of_the_model_for_its_rate_are_waited_for(cache: DictCache, clock: Clock) -> None:
    replies = iter([refuses(429), refuses(429), message("Room 7")])
    async with a_runner(lambda body: next(replies), [case(1)], cache, clock, retries=0) as (runner, requests):
        [row] = await runner.run([case(1)], [BASELINE])
    assert row.outcomes["baseline"].success is True and len(requests) == 3
    assert runner.buyer.counts["paid"] == 1


async def test_an_agent_that_comes_to_no_end_has_failed(cache: DictCache, clock: Clock) -> None:
    async with a_runner(lambda body: message(floor=3), [case(1, call())], cache, clock, max_steps=3) as (
        runner,
        requests,
    ):
        [row] = await runner.run([case(1, call())], [BASELINE])
    assert row.outcomes["baseline"].success is False and len(requests) == 3


async def test_the_sandbox_runs_its_own_tools(staging: Staging, cache: DictCache, clock: Clock) -> None:
    staging.answer = lambda body: Reply({"output": f"Room 7 for {body['case_id']}", "status": "ok"})
    settings = ReplaySandbox(url=staging.url, tools=["find_room"])
    async with (
        Sandbox(settings, None) as sandbox,
        a_runner(asks_then_repeats, [case(1)], cache, clock, sandbox) as (runner, requests),
    ):
        [row] = await runner.run([case(1)], [BASELINE])
    assert row.outcomes["baseline"].success is True
    assert staging.requests == [
        {"tool": "find_room", "arguments": '{"floor": 3}', "case_id": "case-1", "metadata": {}, "seed": 3}
    ]
    assert requests[-1]["messages"][-1]["content"] == "Room 7 for case-1"


def like(n: int, intent: str, *recorded: RecordedCall) -> Case:
    return case(n, *recorded).model_copy(update={"intent": intent})


async def test_other_cases_of_the_intent_answer_for_a_tool_that_is_declared_shared(
    cache: DictCache, clock: Clock
) -> None:
    cases = [like(1, "sea", call()), like(2, "sea"), like(3, "hills")]
    for tools, known in (([ROOMS], 0), ([ROOMS.model_copy(update={"shared": True})], 1)):
        async with a_runner(asks_then_repeats, cases, DictCache(), clock, tools=tools) as (runner, _):
            rows = await runner.run(cases, [BASELINE])
        outcomes = [row.outcomes["baseline"] for row in rows]
        assert [o.success for o in outcomes] == [True, True if known else None, None]
        assert coverage(rows)["baseline"].tool_borrowed == known


@pytest.mark.parametrize("others", [[call(result="taken")], [call(result="Room 7", error=True)]])
def test_results_that_differ_or_failed_are_nobody_elses(others: list[RecordedCall]) -> None:
    tools = {"find_room": ROOMS.model_copy(update={"shared": True})}
    assert shared([like(1, "sea", call())], tools)["sea"]
    assert shared([like(1, "sea", call()), like(2, "sea", *others)], tools)["sea"] == {}
    assert shared([like(2, "sea", call(error=True))], tools)["sea"] == {}


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ('{"view": "any", "floor": 3.0}', True),
        ('{ "floor" : 3, "view": null }', True),
        ('{"floor": 4}', False),
        ('{"floor": 3, "view": "sea"}', False),
        ('{"floor": "3"}', False),
        ("floor 3", False),
    ],
)
def test_arguments_are_compared_by_what_they_say(asked: str, same: bool) -> None:
    found = Recording([call()], {"find_room": ROOMS}).answer("find_room", asked)
    assert (found is not None) is same


def test_text_is_compared_as_text_and_no_arguments_are_none() -> None:
    assert canonical_arguments(" SELECT 1 ", {}) == canonical_arguments("SELECT 1", {})
    assert canonical_arguments("", {}) == canonical_arguments("{}", {})


def test_the_nth_call_gets_the_nth_result_and_later_ones_the_last() -> None:
    recording = Recording([call(result="free"), call(result="taken", error=True)], {})
    assert [recording.answer("find_room", '{"floor": 3}').result for _ in range(3)] == ["free", "taken", "taken"]  # type: ignore[union-attr]
