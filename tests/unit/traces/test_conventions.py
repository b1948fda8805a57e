"""Four generations of attributes, one table (docs/backends/conventions.md)."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from trace_builders import START

from ninefold.traces import conventions
from ninefold.traces.model import Message, Span
from ninefold.traces.precedence import FIELDS, KINDS

CALL = {"query": "SELECT 1"}
TEXT = json.dumps(CALL)
Events = list[tuple[str, int, dict[str, Any]]]


def read(attributes: dict[str, Any], events: Events | None = None) -> tuple[Span, dict[str, int]]:
    span, losses = Span("t", "s", START, START + 1, name="span"), Counter[str]()
    conventions.apply(span, attributes, events or [], losses)
    return span, {k: v for k, v in losses.items() if v}


CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "One?"}]}]),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "sql", "arguments": CALL}]}]
    ),
}
PREVIOUS = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "m-1",
    "gen_ai.usage.prompt_tokens": 7,
    "gen_ai.prompt": json.dumps([{"role": "user", "content": "One?"}]),
    "gen_ai.completion": json.dumps(
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "sql", "arguments": TEXT}}],
            }
        ]
    ),
}
PREVIOUS_EVENTS: Events = [
    ("gen_ai.user.message", 0, {"content": "One?"}),
    (
        "gen_ai.choice",
        0,
        {
            "index": 0,
            "message": json.dumps({"tool_calls": [{"id": "c1", "function": {"name": "sql", "arguments": TEXT}}]}),
        },
    ),
]
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m-1",
    "llm.token_count.prompt": 7,
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "One?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "sql",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": TEXT,
}
OPENLLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "m-1",
    "gen_ai.usage.prompt_tokens": 7,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "One?",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.tool_calls.0.id": "c1",
    "gen_ai.completion.0.tool_calls.0.name": "sql",
    "gen_ai.completion.0.tool_calls.0.arguments": TEXT,
}
SAME = {
    "current": (CURRENT, []),
    "previous, attributes": (PREVIOUS, []),
    "previous, events": (
        {k: v for k, v in PREVIOUS.items() if k not in ("gen_ai.prompt", "gen_ai.completion")},
        PREVIOUS_EVENTS,
    ),
    "current, on an event": (
        {k: v for k, v in CURRENT.items() if "messages" not in k},
        [("gen_ai.client.inference.operation.details", 0, {k: v for k, v in CURRENT.items() if "messages" in k})],
    ),
    "OpenInference": (OPENINFERENCE, []),
    "OpenLLMetry": (OPENLLMETRY, []),
    "as text, as ClickHouse keeps it": ({k: str(v) for k, v in CURRENT.items()}, []),
}  # fmt: skip


@pytest.mark.parametrize("said", SAME.values(), ids=SAME)
def test_a_model_call_reads_the_same_in_every_generation(said: tuple[dict[str, Any], Events]) -> None:
    span, losses = read(*said)
    assert (span.kind, span.model, span.tokens_in, losses) == ("llm", "m-1", 7, {})
    assert list(span.messages) == [Message("user", "One?")]
    (answer,) = span.output
    assert (answer.role, [(c.call_id, c.name, c.args) for c in answer.calls]) == (
        "assistant",
        [("c1", "sql", '{"query":"SELECT 1"}')],
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "sql", "gen_ai.tool.call.arguments": TEXT,
         "gen_ai.tool.call.result": "1"},
        {"openinference.span.kind": "TOOL", "tool.name": "sql", "input.value": TEXT, "output.value": "1"},
        {"traceloop.span.kind": "tool", "traceloop.entity.name": "sql",
         "traceloop.entity.input": json.dumps({"inputs": CALL}), "traceloop.entity.output": '{"output": "1"}'},
    ],
    ids=["GenAI", "OpenInference", "OpenLLMetry"],
)  # fmt: skip
def test_a_tool_call_reads_the_same_in_every_generation(attributes: dict[str, Any]) -> None:
    span, _ = read(attributes)
    assert (span.kind, span.tool_name, span.args, span.result) == ("tool", "sql", '{"query":"SELECT 1"}', "1")


def test_the_newer_generation_wins_where_two_are_on_one_span() -> None:
    span, _ = read({**OPENINFERENCE, "llm.model_name": "old", **CURRENT})
    assert (span.model, len(span.messages)) == ("m-1", 1)


def test_who_and_what_in_the_words_of_others() -> None:
    span, _ = read(
        {
            "openinference.span.kind": "AGENT",
            "session.id": "s",
            "user.id": "u",
            "agent.name": "guide",
            "metadata": json.dumps({"tenant": "north"}),
            "traceloop.association.properties.plan": "gold",
            "app.floor": 3,
        }
    )
    assert (span.session_id, span.user_id, span.agent) == ("s", "u", "guide")
    assert dict(span.metadata) == {"tenant": "north", "plan": "gold", "app.floor": 3}


def test_what_decides_nothing_is_no_step() -> None:
    assert read({"openinference.span.kind": "CHAIN"})[0].kind is None
    assert read({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e"})[0].kind is None
    assert read({"http.request.method": "GET"})[0].kind is None


@pytest.mark.parametrize("cut", [30, 60, 70, 85])
def test_messages_that_a_limit_has_cut_keep_what_can_be_read(cut: int) -> None:
    text = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "One, two, three, four and five?"}]}])
    span, losses = read({**CURRENT, "gen_ai.input.messages": text[:cut]})
    assert losses == {"truncated_messages": 1}
    assert all("One, two, three, four and five?".startswith(m.content) for m in span.messages)


def test_messages_that_are_no_json_are_counted() -> None:
    _, losses = read({**CURRENT, "gen_ai.input.messages": "[}"})
    assert losses == {"malformed_messages": 1}


def test_the_page_for_users_shows_the_same_precedence() -> None:
    page = (Path(__file__).parents[3] / "docs/backends/conventions.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", page, re.M))
    assert {f: tuple(re.findall(r"`([^`]+)`", rows[f])) for f in FIELDS} == FIELDS
    assert re.findall(r"`([^`]+)`", rows["kind"]) == [name for name, _ in KINDS]
