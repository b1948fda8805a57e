"""Span attributes to `Span` fields, whichever of the four conventions wrote them (`ninefold.traces.precedence`).

Content may be absent, as most instrumentation leaves it out unless told otherwise, or cut by an attribute limit: what
can be read of it is kept (`truncated_messages`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ninefold.traces import genai
from ninefold.traces.indexed import indexed
from ninefold.traces.model import Message, Score, Span
from ninefold.traces.precedence import fields_of, kind_of, metadata_of
from ninefold.traces.told import Told

Events = Sequence[tuple[str, int, Mapping[str, Any]]]
"""Name, time and attributes of each event of a span."""
_DETAILS = "gen_ai.client.inference.operation.details"
_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def apply(
    span: Span, attributes: Mapping[str, Any], events: Events, losses: Counter[str], told: Told | None = None
) -> None:
    """Fill in what attributes and events say. What does not follow its convention is counted and left out.

    `told` is what other spans of the trace have told, if the caller keeps it.
    """
    for name, _, said in events:
        if name == _DETAILS:  # the current conventions allow the content on an event instead of the span
            attributes = {**said, **attributes}
    fields = fields_of(attributes)
    field = fields.get
    span.kind = kind_of(attributes, fields)
    span.error_type = _text(attributes.get("error.type"))
    span.failed = span.failed or span.error_type is not None
    span.agent = _text(field("agent"))
    span.agent_version = _text(field("agent version"))
    span.session_id = _text(field("session"))
    span.user_id = _text(field("user"))
    span.model = _text(field("model"))
    span.prompt_name = _text(field("prompt name"))
    span.prompt_version = _text(field("prompt version"))
    span.tokens_in = genai.count_of(field("tokens in"))
    span.tokens_out = genai.count_of(field("tokens out"))
    span.cost_usd = genai.number(field("cost"), losses)
    span.metadata = _metadata(attributes)
    if span.kind == "tool":
        _tool(span, attributes, fields)
    elif span.kind is not None:
        _conversation(span, _Said(attributes, fields, events, told or Told()), losses)
    span.scores = [s for s in (_score(span, *event, losses) for event in events) if s]
    for name, _, said in events:
        if name == "exception" and not span.error_message:
            span.error_type = span.error_type or _text(said.get("exception.type"))
            span.error_message = _text(said.get("exception.message"))


def _tool(span: Span, attributes: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    field = fields.get
    span.tool_name = _text(field("tool")) or _text(attributes.get("traceloop.entity.name")) or span.name
    span.call_id = _text(field("tool call"))
    args, result = field("tool arguments"), field("tool result")
    if args is None:
        args = attributes.get("input.value")
    if args is None:
        args = _entity(attributes.get("traceloop.entity.input"), "inputs", "kwargs", "input_str")
    if result is None:
        result = attributes.get("output.value")
    if result is None:
        result = _entity(attributes.get("traceloop.entity.output"), "output")
    span.args, span.result = genai.text_of(args), genai.result_of(result)


def _entity(value: Any, *keys: str) -> Any:
    """What OpenLLMetry wraps: `{"inputs": {...}}`, `{"args": [], "kwargs": {...}}`, `{"output": ...}`."""
    try:
        inner = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value
    if not isinstance(inner, dict):
        return inner
    return next((inner[key] for key in keys if inner.get(key)), inner)


class _Said(NamedTuple):
    attributes: Mapping[str, Any]
    fields: Mapping[str, Any]
    events: Events
    told: Told


def _conversation(span: Span, by: _Said, losses: Counter[str]) -> None:
    attributes, told = by.attributes, by.told
    system = told.messages(by.fields.get("system prompt"), losses, "system")
    span.system = "\n".join(m.content for m in system) or None
    heard, said = _events(by.events, losses) if by.events else ((), ())
    get = attributes.get
    span.messages = (
        told.messages(get("gen_ai.input.messages"), losses)
        or heard
        or told.messages(get("gen_ai.prompt"), losses)
        or _openinference(attributes, "llm.input_messages", losses)
        or _openllmetry(attributes, "gen_ai.prompt", losses)
    )
    span.output = (
        genai.messages_of(get("gen_ai.output.messages"), losses, "assistant")
        or said
        or genai.messages_of(get("gen_ai.completion"), losses, "assistant")
        or _openinference(attributes, "llm.output_messages", losses)
        or _openllmetry(attributes, "gen_ai.completion", losses)
    )
    if span.kind == "llm" and not span.messages:
        span.messages = genai.messages_of(get("input.value"), losses)
    if span.kind == "llm" and not span.output:
        span.output = genai.messages_of(get("output.value"), losses, "assistant")


def _events(events: Events, losses: Counter[str]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Messages that the previous generation put into events: one event a message, or one for all of a side."""
    heard: list[Message] = []
    said: list[Message] = []
    for name, _, attributes in events:
        if name == "gen_ai.content.prompt":
            heard += genai.messages_of(attributes.get("gen_ai.prompt"), losses)
        elif name == "gen_ai.content.completion":
            said += genai.messages_of(attributes.get("gen_ai.completion"), losses, "assistant")
        elif role := _MESSAGE_EVENTS.get(name):
            heard += genai.messages_of([{"role": role, **_parsed(attributes)}], losses)
        elif name == "gen_ai.choice":
            whole = _parsed(attributes)
            message = whole.get("message")
            inner = message if isinstance(message, dict) else whole if message is None else {"content": message}
            said += genai.messages_of([{"role": "assistant", **inner}], losses)
    return tuple(heard), tuple(said)


def _parsed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an event whose structured values may have become JSON text on the way."""
    out = dict(attributes)
    for key in ("tool_calls", "message"):
        value = out.get(key)
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                out[key] = json.loads(value)
            except (ValueError, RecursionError):
                del out[key]
    if "id" in out and out.get("role") in (None, "tool"):
        out["tool_call_id"] = out["id"]
    return out


def _openinference(attributes: Mapping[str, Any], prefix: str, losses: Counter[str]) -> tuple[Message, ...]:
    """`<prefix>.0.message.role`, `.content`, `.contents.0.message_content.text`, `.tool_calls.0.tool_call.id`."""
    found = []
    for item in indexed(attributes, prefix):
        message = item.get("message", item)
        if not isinstance(message, dict):
            continue
        calls = [c.get("tool_call", c) for c in _list(message.get("tool_calls"))]
        contents = [c.get("message_content", c) for c in _list(message.get("contents"))]
        found.append({**message, "content": message.get("content") or contents, "tool_calls": calls})
    return genai.messages_of(found, losses)


def _openllmetry(attributes: Mapping[str, Any], prefix: str, losses: Counter[str]) -> tuple[Message, ...]:
    """`gen_ai.prompt.0.role`, `.content` (text, or JSON parts), `.tool_calls.0.name`, `.arguments`, `.id`."""
    default = "assistant" if prefix.endswith("completion") else "user"
    found = []
    for item in indexed(attributes, prefix):
        content = item.get("content")
        if isinstance(content, str) and content.lstrip().startswith("[{"):
            try:
                content = json.loads(content)
            except (ValueError, RecursionError):
                content = item.get("content")
        calls = _list(item.get("tool_calls"))
        found.append({**item, "role": item.get("role") or default, "content": content, "tool_calls": calls})
    return genai.messages_of(found, losses)


def _list(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _metadata(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = metadata_of(attributes)
    if isinstance(told := attributes.get("metadata"), str):  # OpenInference: one JSON object for all of it
        try:
            inner = json.loads(told)
        except (ValueError, RecursionError):
            inner = None
        if isinstance(inner, dict):
            del found["metadata"]
            found = {**inner, **found}
    return found


def _score(span: Span, name: str, ts: int, attributes: Mapping[str, Any], losses: Counter[str]) -> Score | None:
    if name != "gen_ai.evaluation.result":
        return None
    return genai.score_of(attributes, ts or span.end, span.span_id if span.parent_id else None, losses)


def _text(value: Any) -> str | None:
    return str(value) if value is not None and value != "" else None
