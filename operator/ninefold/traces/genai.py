"""Values of OpenTelemetry's semantic conventions for generative AI: messages, tool calls and scores.

Source: open-telemetry/semantic-conventions, `docs/gen-ai/gen-ai-spans.md`, `gen-ai-agent-spans.md`,
`gen-ai-events.md` and the JSON Schemas of the message attributes. Messages come as JSON text, as the conventions ask
of languages without structured attributes, or structured; both are read, and so are messages in the form of chat
interfaces (`content`, `tool_calls`), which the other conventions use, Anthropic's blocks (`tool_use`, `tool_result`)
and LangChain's dumps (`type: human`): a conversation gets the same hashes however it was logged.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ninefold.traces.mended import mended
from ninefold.traces.model import PROGRAM, Message, Score, ToolCall

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def text_of(value: Any) -> str | None:
    """One text for equal values: JSON with sorted keys and no blanks for what is, or parses as, an object or a list."""
    if value is None:
        return None
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("{", "["):
            return str(value)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    try:
        return _canonical(value)
    except RecursionError:
        return str(value)


def score_of(attributes: Mapping[str, Any], ts: int, step_id: str | None, losses: Counter[str]) -> Score | None:
    """The score in a `gen_ai.evaluation.result` event, or None (counted) when it has no name."""
    name = _text(attributes.get("gen_ai.evaluation.name"))
    if name is None:
        losses["unnamed_scores"] += 1
        return None
    return Score(name, number(attributes.get("gen_ai.evaluation.score.value"), losses), PROGRAM, ts, step_id)


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


def messages_of(value: Any, losses: Counter[str], role: str = "user") -> tuple[Message, ...]:
    """Messages from an attribute: JSON text or structure, a list of messages or of bare parts, or plain text.

    `role` is whose words plain text is. Bare parts are a system prompt's, as the conventions have it.
    """
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("[", "{"):
            return (Message(role, value),) if value else ()
        value = _loaded(value, losses)
    if isinstance(value, dict):
        value = value.get("messages", [value])
    items = value if isinstance(value, list) else []
    if is_bare(items):
        return (_message("system", [_part(i) for i in items]),)
    out = []
    for item in items:
        if not isinstance(item, dict):
            losses["malformed_messages"] += 1
            continue
        out.append(_message(str(role_of(item)), [*_parts(item), *_calls(item)]))
    return tuple(out)


def is_bare(items: list[Any]) -> bool:
    """Whether these are parts without messages around them."""
    return bool(items) and all(isinstance(i, dict) and role_of(i) is None for i in items)


_LANGCHAIN = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}


def role_of(item: Mapping[str, Any]) -> str | None:
    """Who speaks in a message, by its `role` or LangChain's `type`; None for what is no message."""
    kind = _LANGCHAIN.get(str(item.get("type"))) if "content" in item else None
    role = item.get("role") or kind
    return str(role) if role else None


def said_of(value: Any, losses: Counter[str], role: str) -> tuple[Message, ...]:
    """Messages of a column that may hold any value: an object that is no message is `role`'s words as it stands."""
    inner = value
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            inner = value
    items = inner if isinstance(inner, list) else [inner]
    told = isinstance(inner, dict) and isinstance(inner.get("messages"), list)
    if told or isinstance(inner, str) or (items and all(isinstance(i, dict) and _is_message(i) for i in items)):
        return messages_of(value, losses, role)
    text = text_of(value)
    return (Message(role, text),) if text else ()


def _is_message(item: Mapping[str, Any]) -> bool:
    return "role" in item or (
        isinstance(item.get("type"), str) and bool({"content", "text", "arguments"} & item.keys())
    )


def _loaded(text: str, losses: Counter[str]) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = mended(text)
            losses["truncated_messages"] += 1
            return value
        except (ValueError, RecursionError):
            losses["malformed_messages"] += 1
            return None


def _parts(item: Mapping[str, Any]) -> list[Any]:
    """The parts of a message: `parts` of the conventions, or `content` as chat interfaces have it."""
    parts = item.get("parts", item.get("content"))
    if answered := item.get("tool_call_id"):
        parts = _joined(parts)
        if isinstance(parts, str):
            return [{"type": "tool_call_response", "id": answered, "response": parts}]
    return [_part(part) for part in parts] if isinstance(parts, list) else [parts]


def _part(part: Any) -> Any:
    """One part in the words of the conventions, also Anthropic's blocks."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "tool_use":
        return {"type": "tool_call", "id": part.get("id"), "name": part.get("name"), "arguments": part.get("input")}
    if kind == "tool_result":
        response = _joined(part.get("content"))
        return {"type": "tool_call_response", "id": part.get("tool_use_id"), "response": response}
    return part


def _joined(content: Any) -> Any:
    """The text of a list of text parts; anything else as it is."""
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        return "\n".join(p["text"] for p in content)
    return content


def _calls(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a chat interface's assistant message, as parts of the conventions. LangChain keeps OpenAI's own in
    `additional_kwargs`, and says `args` where OpenAI says `arguments`."""
    extra = item.get("additional_kwargs")
    calls = item.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    out = []
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            function = call["function"] if isinstance(call.get("function"), dict) else call
            arguments = function.get("arguments", function.get("args"))
            out.append(
                {"type": "tool_call", "id": call.get("id"), "name": function.get("name", ""), "arguments": arguments}
            )
    return out


def _message(role: str, parts: list[Any]) -> Message:
    texts: list[str] = []
    calls: list[ToolCall] = []
    responses: list[tuple[str, str]] = []
    for part in parts:
        if not isinstance(part, dict):
            texts += [part] if isinstance(part, str) and part else []
            continue
        kind = part.get("type")
        if kind == "tool_call":
            call = ToolCall(_text(part.get("id")), str(part.get("name", "")), text_of(part.get("arguments")) or "")
            calls.append(call)
            texts.append(f"{call.name} {call.args}")
        elif kind == "tool_call_response":
            result = result_of(part.get("response", part.get("result"))) or ""
            if identity := _text(part.get("id")):
                responses.append((identity, result))
            texts.append(result)
        elif isinstance(content := part.get("content", part.get("text")), str):
            texts.append(content)
    return Message(role, "\n".join(texts), tuple(calls), tuple(responses))


def result_of(value: Any) -> str | None:
    """A tool's result: text stays as it is, for its layout may carry meaning."""
    return value if isinstance(value, str) else text_of(value)


def _text(value: Any) -> str | None:
    return str(value) if value is not None and value != "" else None


def count_of(value: Any) -> int | None:
    """A count, also where a store has turned it into text or a float; None for what no counter shows."""
    if value is None or isinstance(value, bool):
        return None
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count < 2**63 else None
