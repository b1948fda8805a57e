"""One conversation, in the forms in which people log it, is one list of messages: over every backend."""

from collections import Counter
from typing import Any

import pytest

from ninefold.traces import genai
from ninefold.traces.langfuse import chat

ARGS = {"day": "Monday"}
OPENAI = [
    {"role": "user", "content": "A room?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "function": {"name": "find", "arguments": '{"day": "Monday"}'}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "Room 7"}]},
]
CONVENTIONS = [
    {"role": "user", "parts": [{"type": "text", "content": "A room?"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "find", "arguments": ARGS}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "Room 7"}]},
]
ANTHROPIC = [
    {"role": "user", "content": "A room?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "find", "input": ARGS}]},
    {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "Room 7"}]},
]
LANGCHAIN = [
    {"type": "human", "content": "A room?"},
    {"type": "ai", "content": "", "tool_calls": [{"id": "c", "name": "find", "args": ARGS}]},
    {"type": "tool", "tool_call_id": "c", "content": "Room 7"},
]
FORMS = {"OpenAI": OPENAI, "OpenTelemetry": CONVENTIONS, "Anthropic": ANTHROPIC, "LangChain": LANGCHAIN}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_conversation(form: str) -> None:
    losses: Counter[str] = Counter()
    expected = genai.messages_of(OPENAI, losses)
    assert [m.role for m in expected] == ["user", "assistant", "tool"]
    assert (expected[1].calls[0].name, expected[1].calls[0].args) == ("find", '{"day":"Monday"}')
    assert expected[2].responses == (("c", "Room 7"),)
    assert genai.messages_of(FORMS[form], losses) == expected
    assert chat.messages_of(FORMS[form], "user", losses) == expected
    assert not losses


@pytest.mark.parametrize(
    "value",
    [[{"type": "text", "content": "You serve."}], [{"type": "function", "function": {"name": "find"}}]],
    ids=["instructions", "definitions of tools"],
)
def test_parts_without_a_speaker_are_no_conversation(value: Any) -> None:
    (found,) = genai.messages_of(value, Counter())
    assert found.role == "system"
