"""One table of steps, whatever the backend: the Arrow schemas, and how a stream of traces is put into them.

`collect` is the only place where an Agent's spec meets its traces: it keeps this agent's, grades each as `spec.success`
says, and counts what it leaves out. Every analysis starts from a `StepTable`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.api.agent import AgentSpec
from ninefold.graders import BadRuleError, Graders
from ninefold.traces.backend import Backend, Window
from ninefold.traces.given import graded
from ninefold.traces.model import TraceRecord
from ninefold.traces.problem import TracesProblem

BY_JUDGE = "ninefold/judge"
"""`outcome_source` of a trace that a model has graded."""
_TIME = pa.timestamp("ns", "UTC")

TRACES = pa.schema(
    [
        pa.field("trace_id", pa.string(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),  # gen_ai.conversation.id; the trace's id without one
        ("user_hash", pa.string()),
        ("agent", pa.string()),  # gen_ai.agent.name, else service.name
        ("agent_version", pa.string()),
        ("environment", pa.string()),
        ("task_key", pa.string()),  # value of the metadata key that the Agent names; equal means the same task
        ("start_ts", _TIME),
        ("end_ts", _TIME),
        ("outcome", pa.bool_()),  # whether it succeeded; null when unjudged
        ("outcome_score", pa.float64()),
        ("outcome_source", pa.string()),
        ("cost_usd", pa.float64()),
        pa.field("metadata", pa.string(), nullable=False),  # JSON object
    ]
)
STEPS = pa.schema(
    [
        pa.field("trace_id", pa.string(), nullable=False),
        pa.field("step_idx", pa.int32(), nullable=False),  # place in the tree's order, from 0
        pa.field("step_id", pa.string(), nullable=False),
        ("parent_id", pa.string()),
        pa.field("kind", pa.string(), nullable=False),  # llm, tool or agent
        pa.field("name", pa.string(), nullable=False),
        ("tool_name", pa.string()),
        ("tool_call_id", pa.string()),
        ("tool_args", pa.string()),  # canonical JSON, or text
        ("tool_result", pa.string()),
        ("messages_in_hash", pa.string()),  # hash of the history's last message, see MESSAGES
        ("message_out", pa.string()),
        ("system_prompt_hash", pa.string()),
        ("prompt_name", pa.string()),
        ("prompt_version", pa.string()),
        ("model", pa.string()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("cost_usd", pa.float64()),
        ("start_ts", _TIME),
        ("end_ts", _TIME),
        pa.field("status", pa.string(), nullable=False),  # ok or error
        ("error_type", pa.string()),
        ("error_message", pa.string()),
        ("error_signature", pa.string()),  # the message masked: equal for equal mistakes
    ]
)
SCORES = pa.schema(
    [
        pa.field("trace_id", pa.string(), nullable=False),
        ("step_id", pa.string()),  # null: about the whole trace
        pa.field("name", pa.string(), nullable=False),
        ("value", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        ("ts", _TIME),
    ]
)
MESSAGES = pa.schema(
    [
        pa.field("hash", pa.string(), nullable=False),  # over the parent's hash, role and content
        ("parent_hash", pa.string()),  # the message before it; null: the first
        pa.field("role", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Seen:
    """Names met while reading, all agents included: what a user may have meant when a name was not found."""

    traces: int = 0
    agents: Counter[str] = field(default_factory=Counter)
    environments: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)
    metadata_keys: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class StepTable:
    """The traces of one agent in one window. `losses` counts by name what was left out or mended on the way."""

    traces: pa.Table
    steps: pa.Table
    scores: pa.Table
    messages: pa.Table
    losses: dict[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)


def collect(backend: Backend, window: Window, agent: AgentSpec) -> StepTable:
    """Read a window and keep what is this agent's, judged."""
    records = backend.read(window)
    table = tabulate(records, agent, backend.losses)
    return StepTable(table.traces, table.steps, table.scores, table.messages, nonzero(backend.losses), table.seen)


def tabulate(records: Iterable[TraceRecord], agent: AgentSpec, losses: Counter[str]) -> StepTable:
    """The table of a stream of traces. A trace id that comes twice counts as `duplicate_traces`."""
    rows = Tabulator(agent, losses)
    for record in records:
        rows.add(record)
    return rows.table()


class Tabulator:
    """A table in the making. What is left out of it is counted in `losses`."""

    def __init__(self, agent: AgentSpec, losses: Counter[str]) -> None:
        self.losses = losses
        self._agent, self._graders = agent, _graders(agent)
        self._columns = {name: _Rows(schema) for name, schema in _SCHEMAS.items()}
        self._traces: set[str] = set()
        self._messages: set[str] = set()
        self._seen = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        self._total = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the rows so far, without the last few thousand."""
        return sum(rows.nbytes for rows in self._columns.values())

    def add(self, record: TraceRecord) -> None:
        """One more trace, if it is the agent's and not here yet."""
        wanted, columns = self._agent.traces, self._columns
        self._total += 1
        for counter, names in zip(self._seen, _names(record), strict=True):
            counter.update(names)
        if wanted.agent_name is not None and record.agent != wanted.agent_name:
            self.losses["other_agent"] += 1
        elif wanted.environment is not None and record.environment != wanted.environment:
            self.losses["other_environment"] += 1
        elif record.trace_id in self._traces:
            self.losses["duplicate_traces"] += 1
        else:
            self._traces.add(record.trace_id)
            columns["traces"].add(_trace_row(record, self._agent, self._graders, self.losses))
            for step in record.steps:
                columns["steps"].add(_step_row(step))
            for s in record.scores:
                columns["scores"].add((record.trace_id, s.step_id, s.name, s.value, s.source, s.ts))
            for key, (parent, role, content) in record.messages.items():
                if key not in self._messages:
                    self._messages.add(key)
                    columns["messages"].add((key, parent, role, content))

    def table(self) -> StepTable:
        """All of it."""
        tables = {name: rows.table() for name, rows in self._columns.items()}
        return StepTable(**tables, losses=nonzero(self.losses), seen=Seen(self._total, *self._seen))


def with_verdicts(table: StepTable, verdicts: Mapping[str, bool]) -> StepTable:
    """The table with a judge's verdicts as the outcomes of traces that have none. `verdicts` by trace id."""
    rows = zip(*(table.traces[name].to_pylist() for name in ("trace_id", "outcome")), strict=True)
    own = [verdicts.get(i) if outcome is None else None for i, outcome in rows]
    count = sum(verdict is not None for verdict in own)
    traces = table.traces
    for name, values in {
        "outcome": own,
        "outcome_score": [None if v is None else float(v) for v in own],
        "outcome_source": [None if v is None else BY_JUDGE for v in own],
    }.items():
        place, kind = traces.schema.get_field_index(name), traces.schema.field(name)
        traces = traces.set_column(place, kind, pc.coalesce(traces[name], pa.array(values, kind.type)))
    losses = Counter(table.losses)
    losses["unjudged"] -= count
    return replace(table, traces=traces, losses=nonzero(losses))


def _graders(agent: AgentSpec) -> Graders:
    try:
        return Graders(agent.success)
    except BadRuleError as error:
        raise TracesProblem("BadRule", str(error)) from None


def nonzero(losses: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in sorted(losses.items()) if count}


def _names(record: TraceRecord) -> tuple[Iterable[str], ...]:
    agents = [record.agent] if record.agent else []
    environments = [record.environment] if record.environment else []
    return agents, environments, {s.name for s in record.scores}, list(record.metadata)


def _trace_row(record: TraceRecord, agent: AgentSpec, graders: Graders, losses: Counter[str]) -> tuple[Any, ...]:
    grade, source = graded(record, graders, agent.success.score)
    if grade.success is None:
        losses["unjudged"] += 1
    task = record.metadata.get(agent.traces.task_key) if agent.traces.task_key else None
    return (
        record.trace_id,
        record.session_id,
        record.user_hash,
        record.agent,
        record.agent_version,
        record.environment,
        None if task is None else str(task),
        record.start_ts,
        record.end_ts,
        grade.success,
        grade.score,
        source,
        record.cost_usd,
        json.dumps(record.metadata, sort_keys=True, ensure_ascii=False, default=str),
    )


_SCHEMAS = {"traces": TRACES, "steps": STEPS, "scores": SCORES, "messages": MESSAGES}
_BATCH = 8_192
_step_row = attrgetter(*STEPS.names)


class _Rows:
    """Rows on their way into a table, turned into Arrow a batch at a time: Python objects take ten times the room."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema, self._rows, self._batches = schema, list[tuple[Any, ...]](), list[pa.RecordBatch]()

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()

    @property
    def nbytes(self) -> int:
        return sum(batch.nbytes for batch in self._batches)

    def table(self) -> pa.Table:
        self._flush()
        return pa.Table.from_batches(self._batches, self._schema)

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [_array(c, f.type) for c, f in zip(columns, self._schema, strict=True)]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._rows = []


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    """A column. Half a surrogate pair, which JSON can carry and UTF-8 cannot, becomes a question mark."""
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([v.encode(errors="replace").decode() if isinstance(v, str) else v for v in values], kind)
