"""Whatever was logged to Langfuse, and whichever server gives it back, becomes the same steps."""

import json
from collections import Counter
from typing import Any

import pytest

from ninefold.traces.langfuse.chat import messages_of
from ninefold.traces.langfuse.rows import Row, current, metadata_of, record_of, score_of
from ninefold.traces.model import Message, TraceRecord

ARGS = {"query": "SELECT 1"}
CALL = {"id": "call_0", "type": "function", "function": {"name": "sql", "arguments": json.dumps(ARGS)}}
CONVERSATION = [
    {"role": "system", "content": "Answer."},
    {"role": "user", "content": "How many?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_0", "content": "[(1,)]"},
]
AS_PARTS = [
    {"role": "system", "parts": [{"type": "text", "content": "Answer."}]},
    {"role": "user", "parts": [{"type": "text", "content": "How many?"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_0", "name": "sql", "arguments": ARGS}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_0", "response": "[(1,)]"}]},
]
AS_BLOCKS = [
    {"role": "system", "content": [{"type": "text", "text": "Answer."}]},
    {"role": "user", "content": [{"type": "text", "text": "How many?"}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0", "name": "sql", "input": ARGS}]},
    {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": "[(1,)]"}]},
]
AS_LANGCHAIN = [
    [
        {"type": "system", "content": "Answer."},
        {"type": "human", "content": "How many?"},
        {"type": "ai", "content": "", "tool_calls": [{"id": "call_0", "name": "sql", "args": ARGS}]},
        {"type": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": "[(1,)]"}]},
    ]
]


def an_observation(n: int, kind: str = "SPAN", **fields: Any) -> Row:
    own = {
        "id": f"o{n}",
        "traceId": "t",
        "type": kind,
        "name": kind.lower(),
        "startTime": f"2026-11-01T08:00:0{n}.000Z",
    }
    return {"observation": own | fields}


def the_record(*rows: Row, losses: Counter[str] | None = None) -> TraceRecord:
    record = record_of(list(rows), Counter() if losses is None else losses)
    assert record is not None
    return record


@pytest.mark.parametrize(
    "logged",
    [
        CONVERSATION,
        AS_PARTS,
        AS_BLOCKS,
        AS_LANGCHAIN,
        {"messages": CONVERSATION, "tools": []},
        json.dumps(CONVERSATION),
    ],
    ids=["openai", "parts", "blocks", "langchain", "request", "text"],
)
def test_a_conversation_is_the_same_however_it_was_logged(logged: Any) -> None:
    messages = messages_of(logged, "user", Counter())
    told = [(m.role, m.content.strip()) for m in messages]
    assert told == [
        ("system", "Answer."),
        ("user", "How many?"),
        ("assistant", 'sql {"query":"SELECT 1"}'),
        ("tool", "[(1,)]"),
    ]
    assert [(c.call_id, c.name, c.args) for m in messages for c in m.calls] == [
        ("call_0", "sql", '{"query":"SELECT 1"}')
    ]
    assert [r for m in messages for r in m.responses] == [("call_0", "[(1,)]")]


@pytest.mark.parametrize(
    ("logged", "content"),
    [("hi", "hi"), ('{"q": 1}', '{"q":1}'), ({"q": 1}, '{"q":1}'), ("{broken", "{broken"), (["a", "b"], '["a","b"]')],
)
def test_what_is_no_conversation_is_one_message(logged: Any, content: str) -> None:
    assert messages_of(logged, "user", Counter()) == (Message("user", content),)


def test_the_role_of_a_bare_answer_is_the_assistants_and_nothing_is_no_message() -> None:
    assert messages_of("4", "assistant", Counter())[0].role == "assistant"
    assert messages_of("", "user", Counter()) == messages_of(None, "user", Counter()) == ()


def test_a_span_is_a_tool_when_the_model_called_one_of_its_name() -> None:
    asks = an_observation(1, "GENERATION", output=json.dumps(CONVERSATION[2]))
    record = the_record(
        asks, an_observation(2, name="sql", input=ARGS, output="[(1,)]"), an_observation(3, name="http")
    )
    assert [(s.kind, s.tool_name, s.tool_call_id, s.tool_args, s.tool_result) for s in record.steps] == [
        ("llm", None, None, None, None),
        ("tool", "sql", "call_0", '{"query":"SELECT 1"}', "[(1,)]"),
    ]


def test_an_observation_at_level_error_failed_with_its_status_message() -> None:
    record = the_record(an_observation(1, "TOOL", level="ERROR", statusMessage="Table 'x' doesn't exist", output=""))
    assert record.steps[0].status == "error"
    assert record.steps[0].error_signature == "Table <str> doesn't exist"


def test_metadata_is_the_users_whether_it_came_nested_flattened_as_text_or_as_pairs() -> None:
    attributes = {"gen_ai.agent.name": "guide", "app.task": "3"}
    shapes: list[Any] = [
        {"team": "a", "attributes": attributes, "scope": {"name": "s"}},
        {"team": "a", "attributes.gen_ai.agent.name": "guide", "attributes.app.task": "3", "scope.name": "s"},
        {"team": "a", "attributes": json.dumps(attributes)},
        [["team", "a"], ["attributes.gen_ai.agent.name", "guide"], ["attributes.app.task", "3"]],
    ]
    for shape in shapes:
        own, found, _ = metadata_of(shape)
        assert (own, found) == ({"team": "a"}, attributes)
        record = the_record(an_observation(1, "AGENT", metadata=shape))
        assert (record.agent, record.metadata) == ("guide", {"team": "a", "app.task": "3"})


def test_what_an_older_server_keeps_on_the_trace_is_the_traces() -> None:
    trace = {
        "id": "t",
        "timestamp": "2026-11-01T08:00:00.000Z",
        "name": "guide",
        "userId": "ada",
        "sessionId": "s",
        "version": "v2",
        "environment": "staging",
        "metadata": {"app.task": 3},
    }
    record = the_record({"trace": trace}, an_observation(1, "GENERATION"))
    told = (record.agent, record.agent_version, record.session_id, record.environment, record.metadata)
    assert told == ("guide", "v2", "s", "staging", {"app.task": 3})
    assert record.user_hash not in (None, "ada")


def test_a_trace_without_observations_is_one_step() -> None:
    trace = {"id": "t", "timestamp": "2026-11-01T08:00:00.000Z", "name": "guide", "input": "hi", "output": "hello"}
    record = the_record({"trace": trace})
    assert [(s.kind, s.message_out) for s in record.steps] == [("agent", "hello")]
    assert [content for _, _, content in record.messages.values()] == ["hi"]


def test_scores_alone_are_no_trace() -> None:
    assert record_of([{"score": {"id": "s", "traceId": "t", "name": "n"}}], Counter()) is None


def test_of_a_row_that_comes_twice_the_one_updated_last_counts() -> None:
    losses: Counter[str] = Counter()
    first = an_observation(1, "GENERATION", output="draft", updatedAt="2026-11-01T08:00:00.000Z")
    last = an_observation(1, "GENERATION", output="final", updatedAt="2026-11-01 09:00:00.000000")
    assert [s.message_out for s in the_record(last, first, losses=losses).steps] == ["final"]
    assert losses["duplicate_observations"] == 1


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NUMERIC", 0.5, 0.5),
        ("BOOLEAN", True, 1.0),
        ("BOOLEAN", 0, 0.0),
        ("CATEGORICAL", "good", None),
        ("CATEGORICAL", 0, None),
        ("TEXT", 0, None),
    ],
)
def test_only_numbers_and_truth_values_are_values_of_a_score(kind: str, value: Any, expected: float | None) -> None:
    row = {"name": "n", "timestamp": "2026-11-01T08:00:00.000Z", "dataType": kind, "value": value, "source": "EVAL"}
    score = score_of(row, Counter())
    assert score is not None
    assert (score.value, score.source) == (expected, "EVAL")


def test_tokens_and_cost_are_found_in_every_generation() -> None:
    new = an_observation(1, "GENERATION", usageDetails={"input": 90, "input_cached_tokens": 10, "output": 5})
    old = {"usage": {"unit": "TOKENS", "input": 100, "output": 5}, "calculatedTotalCost": 0.25, "model": "m"}
    uncounted = {"usage": {"unit": None, "input": 0, "output": 0}}
    steps = [
        the_record(new).steps[0],
        the_record({"observation": current(an_observation(1, "GENERATION")["observation"] | old)}).steps[0],
        the_record({"observation": current(an_observation(1, "GENERATION")["observation"] | uncounted)}).steps[0],
    ]
    assert [(s.tokens_in, s.tokens_out, s.cost_usd) for s in steps] == [
        (100, 5, None),
        (100, 5, 0.25),
        (None, None, None),
    ]


def test_a_row_without_a_time_is_counted_and_left_out() -> None:
    losses: Counter[str] = Counter()
    assert record_of([an_observation(1, startTime=None)], losses) is None
    assert losses["malformed_rows"] == 1
