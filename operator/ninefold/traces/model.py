"""What one trace looks like on its way from any backend into the table of steps.

A backend turns what it stores into `Span`s, without knowing of outcomes or agents' specs; `ninefold.traces.assemble`
puts the spans of one trace in order and makes a `TraceRecord` of them, which is one row of `traces`, rows of `steps`
and `scores`, and the messages they refer to. Everything here is plain values, so a record can be compared in a test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

StepKind = Literal["llm", "tool", "agent"]
PROGRAM = "API"
"""Source of a score that a program sent."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asked for in its message. `args` is canonical JSON or text, see `genai.text_of`."""

    call_id: str | None
    name: str
    args: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, its parts flattened into text.

    `calls` are the tool calls in it; `responses` pairs the ids of answered calls with the results that it carries.
    """

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    responses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """A recorded judgement. `step_id` is None when it is about the whole trace; `value` is None: no number.

    `source` says who judged, in Langfuse's words: `API` (a program sent it, as it sends the evaluation events of
    OpenTelemetry and the columns of a file), `EVAL` (an evaluator of the backend), `ANNOTATION` (a person).
    """

    name: str
    value: float | None
    source: str
    ts: int
    step_id: str | None = None


@dataclass(slots=True)
class Span:
    """One recorded operation, whatever the backend. Times are nanoseconds since 1970; absent is None or empty.

    `kind` None marks a span that says nothing about an agent (an HTTP or database span): it keeps its place in the
    tree, so that what is below it is ordered rightly, but becomes no step.
    """

    trace_id: str
    span_id: str
    start: int
    end: int
    parent_id: str | None = None
    kind: StepKind | None = None
    name: str = ""
    failed: bool = False
    error_type: str | None = None
    error_message: str | None = None
    tool_name: str | None = None
    call_id: str | None = None
    args: str | None = None
    result: str | None = None
    system: str | None = None
    messages: Sequence[Message] = ()
    output: Sequence[Message] = ()
    model: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    session_id: str | None = None
    user_id: str | None = None
    agent: str | None = None
    agent_version: str | None = None
    service: str | None = None
    environment: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One row of `steps`; the columns are described at `ninefold.traces.table.STEPS`."""

    trace_id: str
    step_idx: int
    step_id: str
    parent_id: str | None
    kind: StepKind
    name: str
    tool_name: str | None
    tool_call_id: str | None
    tool_args: str | None
    tool_result: str | None
    messages_in_hash: str | None
    message_out: str | None
    system_prompt_hash: str | None
    prompt_name: str | None
    prompt_version: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    start_ts: int
    end_ts: int
    status: Literal["ok", "error"]
    error_type: str | None
    error_message: str | None
    error_signature: str | None


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One trace, in order, before anybody has judged it. `messages` maps hash to (parent hash, role, content)."""

    trace_id: str
    session_id: str
    user_hash: str | None
    agent: str | None
    agent_version: str | None
    environment: str | None
    start_ts: int
    end_ts: int
    cost_usd: float | None
    metadata: dict[str, Any]
    steps: tuple[Step, ...]
    scores: tuple[Score, ...]
    messages: dict[str, tuple[str | None, str, str]]
