"""The demo agent's traces, as OpenTelemetry's GenAI conventions put them: OTLP-JSON, one request a line.

One `invoke_agent` span a session, with a `chat` span for every model call and an `execute_tool` span for every tool
call below it; messages are JSON strings on the chat spans, and the evaluator's verdict is a `gen_ai.evaluation.result`
event on the root. See https://opentelemetry.io/docs/specs/semconv/gen-ai/ and the collector's file exporter.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from demo.episode import Episode, Turn
from demo.standin import MODEL

AGENT = "shop-support"
SCORE = "answer_correct"
Span = dict[str, Any]


@dataclass(frozen=True)
class _Trace:
    """What all spans of one trace share."""

    id: str

    @property
    def root(self) -> str:
        return self.span_id("root")

    def span_id(self, what: str) -> str:
        return _hex(f"{self.id}/{what}", 16)

    def span(self, what: str, name: str, start: float, end: float, **attributes: Any) -> Span:
        """One span; `what` is unique within the trace."""
        span: Span = {
            "traceId": self.id,
            "spanId": self.span_id(what),
            "name": name,
            "kind": 3 if name.startswith("chat") else 1,
            "startTimeUnixNano": _nanos(start),
            "endTimeUnixNano": _nanos(end),
            "status": {},
            "attributes": _attributes(attributes),
        }
        return span if what == "root" else span | {"parentSpanId": self.root}


def trace(episode: Episode, number: int, task: str, start: float) -> dict[str, Any]:
    """One ExportTraceServiceRequest for one session. `start` is in seconds since 1970; a step takes one second."""
    this = _Trace(_hex(f"trace/{number}", 32))
    end = start + 2 * len(episode.turns)
    session = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": AGENT,
        "gen_ai.conversation.id": f"session-{number}",
        "app.tenant": episode.shop,
        "app.task": _hex(task, 12),
    }
    verdict = {"gen_ai.evaluation.name": SCORE, "gen_ai.evaluation.score.value": episode.score}
    event = {"timeUnixNano": _nanos(end), "name": "gen_ai.evaluation.result", "attributes": _attributes(verdict)}
    root = this.span("root", f"invoke_agent {AGENT}", start, end, **session) | {"events": [event]}
    resource = {"service.name": AGENT, "deployment.environment.name": "production"}
    scope = {"scope": {"name": "demo"}, "spans": [root, *_steps(this, episode, start)]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}


def _steps(this: _Trace, episode: Episode, start: float) -> Iterator[Span]:
    system = json.dumps([{"type": "text", "content": episode.instructions}])
    for index, turn in enumerate(episode.turns):
        begun = start + 2 * index
        chat = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "demo-standin",
            "gen_ai.request.model": MODEL,
            "gen_ai.system_instructions": system,
            "gen_ai.input.messages": json.dumps([_message(m) for m in turn.messages if m["role"] != "system"]),
            "gen_ai.output.messages": json.dumps([_message(turn.reply)]),
            "gen_ai.usage.input_tokens": turn.usage["prompt_tokens"],
            "gen_ai.usage.output_tokens": turn.usage["completion_tokens"],
        }
        yield this.span(f"chat/{index}", f"chat {MODEL}", begun, begun + 1, **chat)
        if turn.tool:
            yield _tool_span(this, turn, index, begun + 1)


def _tool_span(this: _Trace, turn: Turn, index: int, start: float) -> Span:
    call = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": turn.tool,
        "gen_ai.tool.call.id": turn.reply["tool_calls"][0]["id"],
        "gen_ai.tool.call.arguments": json.dumps(turn.arguments),
        "gen_ai.tool.call.result": turn.result,
    }
    span = this.span(f"tool/{index}", f"execute_tool {turn.tool}", start, start + 1, **call)
    return span | ({"status": {"code": 2, "message": json.loads(turn.result)["error"]}} if turn.failed else {})


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """A chat message in the parts of the conventions."""
    if message["role"] == "tool":
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
        return {"role": "tool", "parts": [part]}
    if message.get("tool_calls"):
        call = message["tool_calls"][0]
        arguments = json.loads(call["function"]["arguments"])
        part = {"type": "tool_call", "id": call["id"], "name": call["function"]["name"], "arguments": arguments}
        return {"role": "assistant", "parts": [part], "finish_reason": "tool_call"}
    reply: dict[str, Any] = {"role": message["role"], "parts": [{"type": "text", "content": message["content"]}]}
    return reply | ({"finish_reason": "stop"} if message["role"] == "assistant" else {})


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    """OTLP's AnyValue; 64-bit integers are strings in its JSON form."""
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}


def _nanos(seconds: float) -> str:
    return str(int(seconds * 1e9))


def _hex(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
