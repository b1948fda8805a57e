"""Texts that repeat each other are read once, and nobody can tell (docs/scale.md, "Reading speed")."""

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ninefold.traces import genai
from ninefold.traces.told import Told

MESSAGE = st.sampled_from(
    [
        {"role": "user", "parts": [{"type": "text", "content": "where is it?"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "find", "arguments": {"n": 1}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "in the hub"}]},
        {"role": "user", "content": "]"},
        {"type": "text", "content": "a bare part"},
        "no message",
        7,
    ]
)


@given(
    st.lists(MESSAGE, max_size=4),
    st.lists(MESSAGE, max_size=4),
    st.sampled_from([None, (",", ":")]),
    st.text('[]{}, "', max_size=3),
)
def test_a_history_that_goes_on_gives_what_it_gives_alone(
    first: list[Any], more: list[Any], separators: tuple[str, str] | None, tail: str
) -> None:
    texts = [json.dumps(turn, separators=separators) for turn in (first, first + more, first, first + more + more)]
    told, losses, alone = Told(), Counter[str](), Counter[str]()
    for text in [*texts, texts[0][:-1] + tail, texts[0][:-1] + tail + "]"]:
        assert told.messages(text, losses) == genai.messages_of(text, alone)
    assert losses == alone


def test_what_was_told_before_is_the_same_messages() -> None:
    told, history = Told(), [{"role": "user", "content": "a"}]
    first = told.messages(json.dumps(history), Counter())
    then = told.messages(json.dumps([*history, {"role": "assistant", "content": "b"}]), Counter())
    assert then[0] is first[0] and [m.content for m in then] == ["a", "b"]
