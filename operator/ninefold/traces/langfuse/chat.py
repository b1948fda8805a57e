"""What people log as the input and output of a model call, as messages.

Langfuse takes any JSON there. Version 4 gives it back as text, older servers parsed; what was logged is, as a rule, the
body of a chat request: OpenAI's messages (`content`, `tool_calls`, `tool_call_id`), Anthropic's blocks (`tool_use`,
`tool_result`), LangChain's dumps (`type: human`), or the `parts` of OpenTelemetry's conventions. All are rewritten to
the last and read by `genai.messages_of`, so a conversation gets the same hashes however it was logged. What is no
conversation becomes one message with the text as it stands.
"""

import json
from collections import Counter
from typing import Any

from ninefold.traces import genai
from ninefold.traces.model import Message

_LANGCHAIN = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}


def parsed(value: Any) -> Any:
    """The structure of a JSON object or list that came as text; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def messages_of(value: Any, role: str, losses: Counter[str]) -> tuple[Message, ...]:
    """The messages of an input or output; `role` is the speaker of what names none."""
    value = parsed(value)
    if value is None or value == "":
        return ()
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    items = value if isinstance(value, list) else [value]
    if len(items) == 1 and isinstance(items[0], list):  # LangChain logs a batch of conversations
        items = items[0]
    if items and all(isinstance(item, dict) and _role(item) for item in items):
        return genai.messages_of([_in_parts(item) for item in items], losses)
    return (Message(role, value if isinstance(value, str) else genai.text_of(value) or ""),)


def _role(item: dict[str, Any]) -> str | None:
    role = item.get("role") or _LANGCHAIN.get(str(item.get("type")))
    return str(role) if role else None


def _in_parts(item: dict[str, Any]) -> dict[str, Any]:
    """One message as {role, parts}."""
    if isinstance(item.get("parts"), list):
        return item
    role, content = _role(item), item.get("content")
    if answered := item.get("tool_call_id"):
        return {"role": role, "parts": [_response(answered, content)]}
    parts = [_part(p) for p in content] if isinstance(content, list) else [content]
    extra = item.get("additional_kwargs")
    calls = item.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    return {"role": role, "parts": parts + [_call(c) for c in calls or () if isinstance(c, dict)]}


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "tool_use":
        return _call({"id": part.get("id"), "name": part.get("name"), "args": part.get("input")})
    if isinstance(part, dict) and part.get("type") == "tool_result":
        return _response(part.get("tool_use_id"), part.get("content"))
    return part


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    function = function if isinstance(function, dict) else call
    arguments = function.get("arguments", function.get("args"))
    return {"type": "tool_call", "id": call.get("id"), "name": function.get("name") or "", "arguments": arguments}


def _response(answered: Any, content: Any) -> dict[str, Any]:
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        content = "\n".join(p["text"] for p in content)
    return {"type": "tool_call_response", "id": answered, "response": content}
