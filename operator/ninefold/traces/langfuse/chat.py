"""What people log as the input and output of a model call, as messages.

Langfuse takes any JSON there. Version 4 gives it back as text, older servers parsed; what was logged is, as a rule, the
body of a chat request. Which forms of messages there are, `genai.messages_of` knows; here is what is around them, and
what is no conversation becomes one message with the text as it stands.
"""

import json
from collections import Counter
from typing import Any

from ninefold.traces import genai
from ninefold.traces.model import Message


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
    if items and all(isinstance(item, dict) and genai.role_of(item) for item in items):
        return genai.messages_of(items, losses)
    return (Message(role, value if isinstance(value, str) else genai.text_of(value) or ""),)
