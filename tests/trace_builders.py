"""Builders of traces: wire spans of OTLP-JSON, and whole populations of a made-up agent with known causes of failure.

The agent is a museum guide with one tool, `museum(command)`. `list rooms` shows a museum's rooms, `open <room>` opens
one. Which rooms there are differs per museum, and nobody tells the agent.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ninefold.api.agent import AgentSpec
from ninefold.api.inputs import RunInputs
from ninefold.traces import StepTable, tabulate
from ninefold.traces.assemble import assemble
from ninefold.traces.model import Message, Score, Span, TraceRecord

START = 1_750_000_000_000_000_000
SECOND = 1_000_000_000


def an_agent_spec(task_key: str | None = "app.task", score: str = "solved", **traces: Any) -> AgentSpec:
    """An agent whose traces are judged by a score; parts of `spec.traces` by keyword."""
    return AgentSpec.model_validate(
        {
            "model": {"name": "m"},
            "components": [{"name": "system", "text": "Guide visitors."}],
            "traces": {"backendRef": {"name": "b"}, **({"taskKey": task_key} if task_key else {}), **traces},
            "success": {"score": score},
            "delivery": {"configMap": "guide-prompts"},
        }
    )


def run_inputs(intent_key: str | None = "app.museum", task_key: str | None = "app.task", **policy: Any) -> RunInputs:
    """Inputs of a run over all time; parts of the policy by keyword."""
    analysis = {**({"intentKey": intent_key} if intent_key else {}), **policy.pop("analysis", {})}
    return RunInputs.model_validate(
        {
            "run": "r",
            "runUid": "u",
            "namespace": "n",
            "agentName": "guide",
            "agentUid": "a",
            "agent": an_agent_spec(task_key).wire(),
            "policy": {"agentRef": {"name": "guide"}, "analysis": analysis, **policy},
            "backend": {"otlp": {"volume": {"configMap": {"name": "c"}}}},
            "baseline": {"components": {"system": "Guide visitors."}},
            "windowStart": "2020-01-01T00:00:00Z",
            "windowEnd": "2040-01-01T00:00:00Z",
        }
    )


# ---------------------------------------------------------------- wire


def any_value(value: Any) -> dict[str, Any]:
    """A Python value as OTLP's AnyValue, as the JSON encoding writes it."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(v) for v in value]}}
        case dict():
            return {"kvlistValue": {"values": [{"key": k, "value": any_value(v)} for k, v in value.items()]}}
        case _:
            return {"stringValue": value}


def attributes(**values: Any) -> list[dict[str, Any]]:
    """Attributes by keyword; `__` stands for a dot: `gen_ai__tool__name`."""
    return [{"key": k.replace("__", "."), "value": any_value(v)} for k, v in values.items()]


def wire_span(
    n: int, parent: int | None = 0, *, at: float = 0, lasts: float = 1, trace: int = 1, **values: Any
) -> dict[str, Any]:
    """Span number n of trace number `trace`, `at` seconds after START; attributes by keyword."""
    own = {k: values.pop(k) for k in ("status", "events", "name") if k in values}
    span = {
        "traceId": f"{trace:032x}",
        "spanId": f"{n + 1:016x}",
        "name": "span",
        "startTimeUnixNano": str(int(START + at * SECOND)),
        "endTimeUnixNano": str(int(START + (at + lasts) * SECOND)),
        "attributes": attributes(**values),
        **own,
    }
    return span if parent is None or n == 0 else {**span, "parentSpanId": f"{parent + 1:016x}"}


def request(*spans: dict[str, Any], service: str = "guide", environment: str = "production") -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    resource = attributes(service__name=service, deployment__environment__name=environment)
    return {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"spans": list(spans)}]}]}


def write_lines(path: Path, *rows: Any) -> Path:
    """JSON lines; bytes and text go in as they are."""
    lines = [r if isinstance(r, bytes) else r.encode() if isinstance(r, str) else json.dumps(r).encode() for r in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


# ---------------------------------------------------------------- populations


def a_record(
    name: str,
    calls: Iterable[tuple[str, str, bool]],
    *,
    solved: bool | None = True,
    asks: str = "Open a room.",
    says: str | None = None,
    session: str | None = None,
    tool: str = "museum",
    **metadata: Any,
) -> TraceRecord:
    """A trace of tool calls (command, result, went well); metadata by keyword, `__` for a dot."""
    meta = {k.replace("__", "."): v for k, v in metadata.items()}
    scores = [] if solved is None else [Score("solved", float(solved), "test", START)]
    root = Span(name, f"{name}-root", START, START + 1000 * SECOND, kind="agent", session_id=session, agent="guide")
    root.metadata, root.scores = meta, scores
    spans = [root]
    llm = Span(name, f"{name}-llm", START, START + 1, parent_id=root.span_id, kind="llm", system="Guide visitors.")
    llm.messages = [Message("user", asks)]
    llm.output = [Message("assistant", says)] if says is not None else []
    spans.append(llm)
    for i, (command, result, ok) in enumerate(calls, 1):
        at = START + i * SECOND
        step = Span(name, f"{name}-{i:04d}", at, at + 1, parent_id=root.span_id, kind="tool", tool_name=tool)
        step.args, step.result, step.failed = json.dumps({"command": command}), result, not ok
        spans.append(step)
    return assemble(spans, Counter())


def a_table(records: Iterable[TraceRecord], **agent: Any) -> StepTable:
    """The table of these traces, judged by the score `solved`."""
    return tabulate(records, an_agent_spec(**agent), Counter())


def rooms_of(museum: int) -> list[str]:
    """The rooms that this museum has."""
    return [f"{kind}_{museum}" for kind in ("atrium", "vault", "gallery", "annex")]


def visits(
    n: int,
    *,
    seed: int = 0,
    museums: int = 8,
    look: float = 0.5,
    helps: float = 0.6,
    hardness: float = 0.0,
    per_task: int = 4,
) -> list[TraceRecord]:
    """n traces of the guide. It first opens a room that does not exist; then, with probability `look`, it lists the

    rooms and opens a real one, else it guesses again. Success has probability 0.2, plus `helps` after a look. With
    `hardness`, half of the tasks are easy, and there the agent both looks and succeeds more often, without a cause.
    """
    rng = random.Random(seed)
    records = []
    for i in range(n):
        task = i // per_task
        museum = task % museums
        easy = random.Random(f"{seed}-{task}").random() < 0.5
        tilt = hardness if easy else -hardness
        rooms = rooms_of(museum)
        wanted = rng.choice(rooms)
        calls = [(f"open {wanted.split('_')[0]}s", f"There is no room '{wanted.split('_')[0]}s' here", False)]
        looked = rng.random() < look + tilt
        if looked:
            calls.append(("list rooms", json.dumps(rooms), True))
            calls.append((f"open {wanted}", f"Welcome, ticket {rng.randrange(10**6)}", True))
        else:
            calls += [(f"open old_{wanted}", f"There is no room 'old_{wanted}' here", False)] * 3
        solved = rng.random() < 0.2 + (helps if looked else 0.0) + max(0.0, tilt)
        meta = {"app__museum": f"m{museum}", "app__task": f"t{task}"}
        records.append(a_record(f"trace-{i}", calls, solved=solved, session=f"s{i}", **meta))
    return records
