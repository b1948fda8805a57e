"""OpenTelemetry's semantic conventions for generative AI: span attributes to `Span` fields.

Source: open-telemetry/semantic-conventions, `docs/gen-ai/gen-ai-spans.md`, `gen-ai-agent-spans.md`,
`gen-ai-events.md` and the JSON Schemas of the message attributes. Messages come as JSON text, as the conventions ask
of languages without structured attributes, or structured; both are read. Content may be absent altogether.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ninefold.traces.model import Message, Score, Span, StepKind, ToolCall

KINDS: dict[str, StepKind] = {
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
}
"""gen_ai.operation.name to the kind of step; operations that decide nothing (embeddings) are left out."""
_USER_KEYS = ("user.id", "enduser.id")
_CONSUMED = ("gen_ai.", "error.type", "session.id", "user.", "enduser.", "otel.", "telemetry.")
"""Attributes that have a meaning of their own; all others of the root span are the trace's metadata."""


def text_of(value: Any) -> str | None:
    """One text for equal values: JSON with sorted keys and no blanks for what is, or parses as, an object or a list."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("{", "["):
            return str(value)
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def apply(span: Span, attributes: Mapping[str, Any], losses: Counter[str]) -> None:
    """Fill in what the attributes say. Parts that do not follow the conventions are counted and left out."""
    get = attributes.get
    span.kind = KINDS.get(str(get("gen_ai.operation.name")))
    span.error_type = _text(get("error.type"))
    span.failed = span.failed or span.error_type is not None
    span.agent = _text(get("gen_ai.agent.name"))
    span.agent_version = _text(get("gen_ai.agent.version"))
    span.session_id = _text(get("gen_ai.conversation.id")) or _text(get("session.id"))
    span.user_id = next((str(get(k)) for k in _USER_KEYS if get(k)), None)
    span.model = _text(get("gen_ai.response.model")) or _text(get("gen_ai.request.model"))
    span.tokens_in = _int(get("gen_ai.usage.input_tokens"))
    span.tokens_out = _int(get("gen_ai.usage.output_tokens"))
    span.tool_name = _text(get("gen_ai.tool.name"))
    span.call_id = _text(get("gen_ai.tool.call.id"))
    span.args = text_of(get("gen_ai.tool.call.arguments"))
    span.result = _result(get("gen_ai.tool.call.result"))
    span.messages = messages_of(get("gen_ai.input.messages"), losses)
    span.output = messages_of(get("gen_ai.output.messages"), losses)
    system = messages_of(get("gen_ai.system_instructions"), losses)
    span.system = "\n".join(m.content for m in system) or None
    span.metadata = {k: v for k, v in attributes.items() if not k.startswith(_CONSUMED)}


def score_of(attributes: Mapping[str, Any], ts: int, step_id: str | None, losses: Counter[str]) -> Score | None:
    """The score in a `gen_ai.evaluation.result` event, or None (counted) when it has no name."""
    name = _text(attributes.get("gen_ai.evaluation.name"))
    if name is None:
        losses["unnamed_scores"] += 1
        return None
    return Score(name, number(attributes.get("gen_ai.evaluation.score.value"), losses), "evaluation event", ts, step_id)


def number(value: Any, losses: Counter[str]) -> float | None:
    """A finite number, true or false as 1 or 0; anything else is None, and counted when it was something."""
    try:
        result = float(value) if value is not None else None
    except (TypeError, ValueError):
        result = math.nan
    if result is not None and not math.isfinite(result):
        losses["scores_without_number"] += 1
        return None
    return result


def messages_of(value: Any, losses: Counter[str]) -> tuple[Message, ...]:
    """Messages from an attribute: JSON text or structure, a list of messages or of bare parts, or plain text."""
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("[", "{"):
            return (Message("user", value),) if value else ()
        try:
            value = json.loads(value)
        except ValueError:
            losses["malformed_messages"] += 1
            return ()
    items = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    if items and all(isinstance(i, dict) and "role" not in i for i in items):
        return (_message("system", items),)
    out = []
    for item in items:
        if not isinstance(item, dict):
            losses["malformed_messages"] += 1
            continue
        parts = item.get("parts", item.get("content"))
        out.append(_message(str(item.get("role")), parts if isinstance(parts, list) else [parts]))
    return tuple(out)


def _message(role: str, parts: list[Any]) -> Message:
    texts: list[str] = []
    calls: list[ToolCall] = []
    responses: list[tuple[str, str]] = []
    for part in parts:
        if not isinstance(part, dict):
            texts += [part] if isinstance(part, str) else []
            continue
        kind = part.get("type")
        if kind == "tool_call":
            call = ToolCall(_text(part.get("id")), str(part.get("name", "")), text_of(part.get("arguments")) or "")
            calls.append(call)
            texts.append(f"{call.name} {call.args}")
        elif kind == "tool_call_response":
            result = _result(part.get("response", part.get("result"))) or ""
            if identity := _text(part.get("id")):
                responses.append((identity, result))
            texts.append(result)
        elif isinstance(content := part.get("content", part.get("text")), str):
            texts.append(content)
    return Message(role, "\n".join(texts), tuple(calls), tuple(responses))


def _result(value: Any) -> str | None:
    """A tool's result: text stays as it is, for its layout may carry meaning."""
    return value if isinstance(value, str) else text_of(value)


def _text(value: Any) -> str | None:
    return str(value) if value is not None and value != "" else None


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
