"""The traces that the agent has left in production, as the table of steps; and the analysis of them."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bench.optimizers.environment import Run
from bench.optimizers.standin import Desk
from bench.optimizers.world import SYSTEM, World
from ninefold.analysis import Analysis, analyze
from ninefold.api.inputs import RunInputs, VersionContent
from ninefold.traces import tabulate
from ninefold.traces.assemble import assemble
from ninefold.traces.model import Message, Score, Span, TraceRecord
from ninefold.versions import rendered

SECOND = 10**9
BASELINE = VersionContent(components={"system": SYSTEM})


def inputs(**policy: Any) -> RunInputs:
    """What an operator would have resolved for this agent. Keyword arguments are parts of the policy."""
    return RunInputs.model_validate(
        {
            "run": "bench",
            "runUid": "bench",
            "namespace": "bench",
            "agentName": "freight",
            "agentUid": "freight",
            "agent": {
                "model": {"name": "stand-in", "contextWindow": 4096},
                "components": [{"name": "system", "text": SYSTEM}],
                "traces": {"backendRef": {"name": "bench"}, "taskKey": "app.task"},
                "success": {"score": "done"},
                "replay": {"endpoint": {"url": "http://in-process/replay"}},
                "delivery": {"mode": "Client", "configMap": "freight-prompts"},
            },
            "policy": {"agentRef": {"name": "freight"}, "analysis": {"intentKey": "app.region"}, **policy},
            "backend": {"otlp": {"volume": {"configMap": {"name": "bench"}}}},
            "baseline": BASELINE.wire(),
            "windowStart": "2026-01-01T00:00:00Z",
            "windowEnd": "2026-02-01T00:00:00Z",
        }
    )


def analysed(world: World, given: RunInputs, stable: VersionContent, cycle: int) -> Analysis:
    """The production traffic of one cycle under the stable version, analysed.

    Only the first cycle's traces are from before the depots were renamed.
    """
    desk = Desk(world, past=cycle == 0, nonce=f"traffic/{cycle}")
    return analyze(tabulate(_records(world, desk, stable, cycle), given.agent, Counter()), given)


def _records(world: World, desk: Desk, stable: VersionContent, cycle: int) -> Iterator[TraceRecord]:
    for visit in range(world.settings["visits"]):
        for number, task in enumerate(world.seen):
            prompts = rendered(stable, {"app.region": task.region})
            trace = f"{cycle:02x}{visit:02x}{number:028x}"
            start = (visit * len(world.seen) + number) * 60 * SECOND
            yield assemble(list(_spans(trace, start, desk.run(task, prompts), "\n".join(prompts.values()))), Counter())


def _spans(trace: str, start: int, run: Run, system: str) -> Iterator[Span]:
    question = [Message("user", run.task.question)]
    yield Span(
        trace, f"{trace}-0", start, start + 30 * SECOND, kind="agent", agent="freight", session_id=trace,
        metadata={"app.region": run.task.region, "app.task": run.task.key},
        scores=[Score("done", float(run.solved), "check", start + 30 * SECOND)],
    )  # fmt: skip
    yield Span(
        trace, f"{trace}-1", start, start + 1, parent_id=f"{trace}-0", kind="llm", system=system, messages=question
    )
    for n, call in enumerate(run.calls, 2):
        at = start + n * SECOND
        yield Span(
            trace, f"{trace}-{n}", at, at + 1, parent_id=f"{trace}-0", kind="tool", name=call.tool,
            tool_name=call.tool, call_id=f"{trace}-c{n}", args=json.dumps(call.args), result=call.result,
            failed=not call.ok, error_message=None if call.ok else call.result,
        )  # fmt: skip


def transcript(run: Run) -> str:
    """One case as a reflecting model reads it."""
    calls = "\n".join(f"{call.tool}({json.dumps(call.args)}) -> {call.result}" for call in run.calls)
    return f"{run.task.question}\n{calls}\n{run.output}"
