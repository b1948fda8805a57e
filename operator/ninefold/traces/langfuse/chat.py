"""What people log as the input and output of a model call, as messages.

Langfuse takes any JSON there. Version 4 gives it back as text, older servers parsed; what was logged is, as a rule, the
body of a chat request. `genai.messages_of` reads OpenAI's messages and the parts of OpenTelemetry's conventions; here
Anthropic's blocks (`tool_use`, `tool_result`) and LangChain's dumps (`type: human`) are rewritten to those, so a
conversation gets the same hashes however it was logged. What is no conversation becomes one message with the text as it
stands.
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
        return genai.messages_of([_as_chat(item) for item in items], losses)
    return (Message(role, value if isinstance(value, str) else genai.text_of(value) or ""),)


def _role(item: dict[str, Any]) -> str | None:
    role = item.get("role") or _LANGCHAIN.get(str(item.get("type")))
    return str(role) if role else None


def _as_chat(item: dict[str, Any]) -> dict[str, Any]:
    """One message as `genai.messages_of` reads it."""
    if isinstance(item.get("parts"), list):
        return item
    content = item.get("content")
    if isinstance(content, list):
        content = _joined(content) if item.get("tool_call_id") else [_part(p) for p in content]
    extra = item.get("additional_kwargs")
    calls = item.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    if isinstance(calls, list):  # LangChain says `args` where OpenAI says `arguments`
        calls = [{**c, "arguments": c["args"]} if isinstance(c, dict) and "args" in c else c for c in calls]
    return {"role": _role(item), "content": content, "tool_calls": calls, "tool_call_id": item.get("tool_call_id")}


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "tool_use":
        return {"type": "tool_call", "id": part.get("id"), "name": part.get("name"), "arguments": part.get("input")}
    if isinstance(part, dict) and part.get("type") == "tool_result":
        response = _joined(part.get("content"))
        return {"type": "tool_call_response", "id": part.get("tool_use_id"), "response": response}
    return part


def _joined(content: Any) -> Any:
    """The text of a list of text parts; anything else as it is."""
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        return "\n".join(p["text"] for p in content)
    return content
