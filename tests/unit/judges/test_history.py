"""docs/judges.md, "History": the judge of the search grades a sample of what neither score nor rules decide."""

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from model_standin import StandIn, model_standin, refuses, says
from trace_builders import attributes, request, run_inputs, wire_span, write_lines

from ninefold.api.findings import AnalysisReport
from ninefold.api.inputs import RunInputs
from ninefold.jobs import analyze
from ninefold.jobs.runtime import JobContext
from ninefold.store import Store
from testbed import RedisServer

TRACES = 200
SCORED = 120
"""The first of them have a score; the others do not."""
GOOD = re.compile(r"Room \d+ is open until nine in the evening\.")
CANARIES = 2 * 9 * 9
"""Calls: nine kinds, nine of each, both ways round."""


def write(root: Path, traces: int = TRACES) -> None:
    """Visits, of which every second goes well."""
    lines = []
    for i in range(1, traces + 1):
        score = attributes(gen_ai__evaluation__name="solved", gen_ai__evaluation__score__value=float(i % 2))
        events = [{"name": "gen_ai.evaluation.result", "attributes": score}] if i <= SCORED else []
        said = f"Room {i} is open until nine in the evening." if i % 2 else f"I do not know where room {i} may be."
        meta = {"app__museum": "north", "app__task": f"t{i}", "gen_ai__conversation__id": f"s{i}"}
        agent = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "guide"}
        chat = {
            "gen_ai__operation__name": "chat",
            "gen_ai__input__messages": message("user", f"Open room {i}."),
            "gen_ai__output__messages": message("assistant", said),
        }
        first = wire_span(0, trace=i, lasts=9, events=events, **agent, **meta)
        lines.append(request(first, wire_span(1, trace=i, at=1, **chat)))
    write_lines(root / "traces.jsonl", *lines)


def message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def a_judge(likes: Callable[[str], bool]) -> Callable[[dict[str, Any]], Any]:
    def answer(body: dict[str, Any]) -> Any:
        text = body["messages"][1]["content"]
        first, second = (text.split(f"<{name}>\n")[1].split(f"\n</{name}>")[0] for name in ("first", "second"))
        return says(
            f'{{"meets_the_rubric": "{"first" if likes(first) else "second" if likes(second) else "neither"}"}}'
        )

    return answer


def sound(answer: str) -> bool:
    return GOOD.fullmatch(answer) is not None


def inputs_of(agent: str, judge: StandIn, history: int = 500, run: str = "u") -> RunInputs:
    judges = {
        "rubric": "It says until when the room is open.",
        "search": {"endpoint": judge.url, "model": "search-1"},
        "gate": {"endpoint": judge.url, "model": "gate-1"},
        "history": history,
    }
    wire = run_inputs().wire()
    wire["agent"]["success"] = {"score": "solved", "judges": judges}
    return RunInputs.model_validate({**wire, "agentUid": agent, "runUid": run})


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    async with Store(redis_server.url) as store:
        yield store


async def analysis(store: Store, inputs: RunInputs, root: Path) -> AnalysisReport:
    key = f"ninefold:{inputs.agent_uid}:artifact:{inputs.run_uid}:analyze:1"
    return await analyze.run(JobContext(inputs, key, store, traces_root=root))


async def test_a_calibrated_judge_gives_outcomes_to_what_nobody_has_scored_and_no_nines(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write(tmp_path)
    with model_standin(a_judge(sound)) as judge:
        found = await analysis(store, inputs_of(request.node.name, judge), tmp_path)
        graded = found.traces - SCORED
        assert 30 < graded < TRACES - SCORED, "those of the analysis bucket, and no others"
        assert found.losses["unjudged"] == TRACES - SCORED - graded
        assert (found.success.traces, found.success.rate) == (SCORED, 0.5), "a rate counts what was recorded"
        assert found.judged is not None
        assert found.judged.startswith(
            f"of {graded} traces that neither score nor rules decide, the judge graded {graded}"
        )
        assert "sensitivity ≥ 0.9" in found.judged and "none of 9 kinds of canaries passed" in found.judged
        assert found.spending.by_purpose()["judge"].calls == len(judge.requests)

        asked = len(judge.requests)
        write(tmp_path, TRACES + 1)
        again = await analysis(store, inputs_of(request.node.name, judge, run="v"), tmp_path)
        assert again.traces - found.traces in (0, 1)
        assert len(judge.requests) - asked <= CANARIES + 4, "what was judged is not bought twice; canaries are new ones"


async def test_only_so_many_are_graded_and_the_rest_is_told(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write(tmp_path)
    with model_standin(a_judge(sound)) as judge:
        found = await analysis(store, inputs_of(request.node.name, judge, history=10), tmp_path)
    assert found.traces == SCORED + 10
    assert re.match(r"of \d\d traces that neither score nor rules decide, the judge graded 10 \(", found.judged or "")


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (a_judge(lambda answer: len(answer) > 3 and set(answer) <= set("dhkqz")), "lets through gibberish"),
        (a_judge(lambda answer: False), "sensitivity ≥ 0.00"),
        (lambda body: refuses(400), "it gave no verdict on its first canaries"),
    ],
)
async def test_a_judge_that_cannot_be_trusted_decides_nothing(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest, judge: Callable[[dict[str, Any]], Any], why: str
) -> None:
    write(tmp_path)
    with model_standin(judge) as one:
        found = await analysis(store, inputs_of(request.node.name, one), tmp_path)
    assert (found.traces, found.losses["unjudged"]) == (SCORED, TRACES - SCORED)
    assert "the judge graded 0 " in (found.judged or "") and why in (found.judged or "")


async def test_nobody_is_asked_where_the_agent_does_not_want_it(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write(tmp_path)
    with model_standin(a_judge(sound)) as judge:
        found = await analysis(store, inputs_of(request.node.name, judge, history=0), tmp_path)
    assert (judge.requests, found.judged, found.losses["unjudged"]) == ([], None, TRACES - SCORED)
