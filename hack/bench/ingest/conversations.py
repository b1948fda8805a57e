"""Traces of an agent that records content: every model call repeats the whole conversation.

As the GenAI conventions of OpenTelemetry have it (`gen_ai.system_instructions`, `gen_ai.input.messages`,
`gen_ai.output.messages` as JSON text, a span a tool call), one request a trace, as the collector's file exporter
writes them. Twenty traces share a task and so a question; calls and results name the trace's own order.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

SAME_TASK = 20
_START = 1_760_000_000_000_000_000
_WORDS = ("order", "parcel", "depot", "label", "customer", "refund", "invoice", "carrier", "route", "scan", "hub",
          "delay", "claim", "weight", "address", "return")  # fmt: skip
_TOOLS = ("find_order", "track_parcel", "list_invoices", "get_customer", "open_claim")
_SYSTEM = "You are the desk of a freight company. " + " ".join(
    f"Rule {n}: before you speak of a {_WORDS[n % 16]}, look at its {_WORDS[n * 7 % 16]}." for n in range(24)
)


def lines(traces: int, seed: int = 0, *, turns: int = 5, content: bool = True) -> Iterator[str]:
    """One line a trace of `2 * turns + 2` spans: the agent's, for each turn a model call and a tool call, the answer.

    Without `content` the model calls of the turns are left out and the answer's hears the user alone: `turns + 2`
    spans, as short as traces get that can still be analysed.
    """
    draw = random.Random(seed)
    for n in range(traces):
        yield _request(n, draw, turns, content)


def _request(n: int, draw: random.Random, turns: int, content: bool) -> str:
    trace_id, start = f"{n + 1:032x}", _START + n * 4_000_000
    order, solved = f"ord_{draw.randrange(10**9):09}", draw.random() < 0.7
    asked = f"Please tell me about case {n // SAME_TASK}: " + _sentence(random.Random(n // SAME_TASK), 40)
    history = [_message("user", {"type": "text", "content": asked})]
    head = {
        "gen_ai.agent.name": "desk",
        "gen_ai.agent.version": "2.1.0",
        "gen_ai.conversation.id": f"session-{n}",
        "user.id": f"user-{n % 997}",
        "app.task": f"task-{n // SAME_TASK}",
        "app.intent": _WORDS[n // SAME_TASK % 8],
    }
    spans = [_span((trace_id, 0, start), "invoke_agent", head)]
    spans[0]["events"] = [_score(start, solved)]
    for _ in range(turns):
        tool = _TOOLS[draw.randrange(len(_TOOLS))]
        call_id, args = f"call_{draw.getrandbits(64):016x}", {"order": order, "about": draw.choice(_WORDS)}
        call = {"type": "tool_call", "id": call_id, "name": tool, "arguments": args}
        if content:
            spans.append(_chat((trace_id, len(spans), start), history, _message("assistant", call), "tool_call"))
        failed = draw.random() < 0.1
        result = json.dumps(
            {"error": f"no {tool} for {order}"} if failed else {"order": order, "state": _sentence(draw, 25)}
        )
        said = {"gen_ai.tool.name": tool, "gen_ai.tool.call.id": call_id, "gen_ai.tool.type": "function"}
        said |= {"gen_ai.tool.call.arguments": json.dumps(args), "gen_ai.tool.call.result": result}
        spans.append(_span((trace_id, len(spans), start), "execute_tool", said))
        history.append(_message("assistant", call))
        history.append(_message("tool", {"type": "tool_call_response", "id": call_id, "response": result}))
    answer = {"type": "text", "content": f"Your order {order}: {_sentence(draw, 30)}"}
    heard = history if content else history[:1]
    spans.append(_chat((trace_id, len(spans), start), heard, _message("assistant", answer), "stop"))
    resource = {"service.name": "desk", "service.version": "2.1.0", "deployment.environment.name": "production"}
    scope = {"scope": {"name": "instrumentation"}, "spans": spans}
    group = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}
    return json.dumps({"resourceSpans": [group]}, separators=(",", ":"))


def _chat(at: tuple[str, int, int], history: list[dict[str, Any]], said: dict[str, Any], why: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.response.finish_reasons": [why],
        "gen_ai.usage.input_tokens": 400 + 90 * len(history),
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": _SYSTEM}]),
        "gen_ai.input.messages": json.dumps(history),
        "gen_ai.output.messages": json.dumps([{**said, "finish_reason": why}]),
    }
    return _span(at, "chat", told)


def _span(at: tuple[str, int, int], operation: str, said: dict[str, Any]) -> dict[str, Any]:
    """`at`: the trace's id, the span's place in it, and the trace's start."""
    trace_id, place, start = at
    return {
        "traceId": trace_id,
        "spanId": f"{place + 1:016x}",
        "parentSpanId": "" if place == 0 else f"{1:016x}",
        "name": operation,
        "kind": 3 if operation == "chat" else 1,
        "startTimeUnixNano": str(start + place * 10**8),
        "endTimeUnixNano": str(start + (place + 1) * 10**8),
        "attributes": _attributes({"gen_ai.operation.name": operation, **said}),
        "status": {},
    }


def _score(start: int, solved: bool) -> dict[str, Any]:
    told = {"gen_ai.evaluation.name": "solved", "gen_ai.evaluation.score.value": float(solved)}
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": str(start + 2 * 10**9), "attributes": _attributes(told)}


def _message(role: str, part: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": [part]}


def _sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(_WORDS, k=words)) + "."


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(v) for v in value]}}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
