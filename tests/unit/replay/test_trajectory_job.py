"""docs/replay.md, "Trajectory", through the Job: recordings, other cases' too, and the sandbox for what writes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from model_standin import StandIn, model_standin

from ninefold.api.cases import Case, RecordedCall
from ninefold.api.outcomes import Coverage, ReplayReport
from ninefold.store import Store
from testbed import RedisServer

from .conftest import Reply, Staging
from .test_replay_job import HELPS, JobBench, cases

CASES = 24
FLOOR = {"type": "object", "properties": {"floor": {"type": "integer"}}}
TOOLS = [
    {"name": "find_room", "parameters": FLOOR, "shared": True},
    {"name": "book_room", "parameters": {"type": "object", "properties": {"room": {"type": "string"}}}},
]


def with_recordings(bucket: str, number: int) -> list[Case]:
    """Two of three cases have recorded which room is free; nobody has recorded a booking that can be used again."""
    found = RecordedCall(tool="find_room", arguments='{"floor": 3}', result="Room 7")
    whole = cases(bucket, number)
    return [case.model_copy(update={"recorded": [found] if n // 3 % 3 else []}) for n, case in enumerate(whole)]


def books(body: dict[str, Any]) -> tuple[int, Any]:
    """An agent that knows where to look when its prompt says so: it looks, books, and says what it heard."""
    *_, last = body["messages"]
    if "has rooms" not in body["messages"][0]["content"]:
        return turn(text="I do not know.")
    if last["role"] != "tool":
        return turn("find_room", floor=3)
    return turn("book_room", room=last["content"]) if last["content"] == "Room 7" else turn(text=last["content"])


def turn(tool: str = "", text: str | None = None, **arguments: Any) -> tuple[int, Any]:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    calls = [{"id": f"call-{tool}", "type": "function", "function": function}] if tool else None
    said = {"role": "assistant", "content": text, "tool_calls": calls}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return 200, whole


def sandbox(body: dict[str, Any]) -> Reply:
    return Reply({"output": f"{body['arguments']} is booked for {body['case_id']}", "status": "ok"})


def looped(model: StandIn, staging: Staging) -> dict[str, Any]:
    """The Agent's spec: its loop is ours to run."""
    return {
        "model": {"name": "m", "endpoint": model.url},
        "tools": TOOLS,
        "success": {"rules": [{"regex": {"pattern": "is booked"}}]},
        "replay": {"trajectory": {"sandbox": {"url": staging.url, "tools": ["book_room"]}}},
    }


def all_was_answered(report: ReplayReport) -> None:
    """The candidate books in every case, from recordings, other cases' recordings, and the sandbox."""
    by_arm = {arm: [row.outcomes[arm].success for row in report.rows] for arm in ("baseline", "helps")}
    assert by_arm == {"baseline": [False] * CASES, "helps": [True] * CASES}
    borrowed = sum(not case.recorded for case in with_recordings("sealed", CASES))
    calls = 2 * CASES
    assert report.coverage["helps"] == Coverage(
        cases=CASES, unknown=0, tool_calls=calls, tool_answers=calls, tool_borrowed=borrowed
    )


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    staging.answer = sandbox
    async with Store(redis_server.url) as store:
        bench = JobBench(store, staging, tmp_path, redis_server.url, cases=with_recordings)
        await bench.upstream(HELPS, number=CASES)
        yield bench


async def test_the_job_runs_the_loop_on_recordings_and_the_sandbox(bench: JobBench, staging: Staging) -> None:
    with model_standin(books) as model:
        bench.agent = looped(model, staging)
        report = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
        all_was_answered(report)
        assert {body["tool"] for body in staging.requests} == {"book_room"}
        asked = len(model.requests), len(staging.requests)
        again = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
        assert (len(model.requests), len(staging.requests)) == asked, "calls and runs of tools are bought once"
    assert again.rows == report.rows
