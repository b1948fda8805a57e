"""The text that is kept: of a sample of traces by hash, always the same, what they were told and what they did.

The sample is the traces with the smallest keys, as many as `READ` and as their text fits `READ_TEXT`. What is smallest
in a union is among what is smallest in each part, so samples of parts give exactly the sample of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.intents import MOST_TEXT
from ninefold.analysis.messages import Messages, first_history, last_history
from ninefold.traces import StepTable

READ = 20_000
"""Traces whose calls are read word by word."""
READ_TEXT = 256 * 2**20
"""Bytes of text in their calls and of what they were told; a text that many share counts for each."""

TRACES = pa.schema(
    [
        ("key", pa.uint64()),
        ("trace_id", pa.string()),
        ("session_id", pa.string()),
        ("task_key", pa.string()),
        ("user", pa.string()),
        ("intent", pa.string()),
        ("solved", pa.bool_()),
        ("task", pa.uint64()),
        ("system", pa.string()),  # hash of the system prompt
        ("told", pa.string()),  # hash of the last thing that users and system said
        ("asked", pa.string()),  # what the user said first, its beginning; null: the user names intents
        ("size", pa.int64()),  # bytes of text
    ]
)
CALLS = pa.schema(
    [
        ("trace_id", pa.string()),
        ("tool", pa.string()),
        ("args", pa.string()),
        ("result", pa.string()),
        ("error", pa.string()),  # signature; null: it went well
    ]
)
TOLD = pa.schema([("hash", pa.string()), ("parent_hash", pa.string()), ("content", pa.string())])


@dataclass(frozen=True)
class Sample:
    """Traces in the order of their keys; their calls in the order of traces and steps; what was told, once."""

    traces: pa.Table
    calls: pa.Table
    told: pa.Table


def sample(table: StepTable, rows: pa.Table) -> Sample:
    """The sample of these rows (columns as `judged.ROWS`) of a table."""
    rows = rows.slice(0, READ)
    ids = rows["trace_id"].combine_chunks() if rows.num_rows else pa.array([], pa.string())
    calls, at = _calls(table.steps, ids)
    place = pc.index_in(ids, value_set=table.traces["trace_id"])
    traces = table.traces.take(place)
    own = table.steps.filter(pc.is_in(table.steps["trace_id"], value_set=ids))
    last, prompts = last_history(own), first_history(own, "system_prompt_hash")
    messages = Messages(table.messages)
    told: dict[str, tuple[str, str | None, str]] = {}
    chains = [_chain(messages, last.get(t), told) for t in ids.to_pylist()]
    systems = [_chain(messages, prompts.get(t), told) for t in ids.to_pylist()]
    first = first_history(own)
    asked = [messages.asked(first.get(t))[:MOST_TEXT] for t in ids.to_pylist()]
    named = pc.is_null(rows["asked"])
    sizes = np.bincount(at, _sizes(calls), len(ids)).astype(np.int64)
    sizes += np.array([_length(h, told) + _length(s, told) for h, s in zip(chains, systems, strict=True)], np.int64)
    made = pa.table(
        {
            "key": rows["key"],
            "trace_id": ids,
            "session_id": traces["session_id"],
            "task_key": traces["task_key"],
            "user": traces["user_hash"],
            "intent": rows["intent"],
            "solved": rows["solved"],
            "task": rows["task"],
            "system": pa.array(systems, pa.string()),
            "told": pa.array(chains, pa.string()),
            "asked": pc.if_else(named, pa.scalar(None, pa.string()), pa.array(asked, pa.string())),
            "size": sizes,
        },
        schema=TRACES,
    )
    columns = (pa.array([line[i] for line in told.values()], pa.string()) for i in range(len(TOLD)))
    lines = pa.Table.from_arrays(list(columns), schema=TOLD)
    return _cut(made, calls, lines)


def union(samples: Sequence[Sample]) -> Sample:
    """The sample of all parts from the samples of each."""
    traces = pa.concat_tables([TRACES.empty_table(), *(s.traces for s in samples)])
    traces = traces.sort_by([("key", "ascending"), ("trace_id", "ascending")])
    calls = pa.concat_tables([CALLS.empty_table(), *(s.calls for s in samples)])
    place = pc.index_in(calls["trace_id"], value_set=traces["trace_id"]).to_numpy()
    calls = calls.take(np.argsort(place, kind="stable"))
    told = pa.concat_tables([TOLD.empty_table(), *(s.told for s in samples)])
    return _cut(traces, calls, _once(told))


def without(own: Sample, ids: pa.Array) -> Sample:
    """The sample but for some traces."""
    keep = pc.invert(pc.is_in(own.traces["trace_id"], value_set=ids))
    calls = own.calls.filter(pc.invert(pc.is_in(own.calls["trace_id"], value_set=ids)))
    return Sample(own.traces.filter(keep), calls, own.told)


def _cut(traces: pa.Table, calls: pa.Table, told: pa.Table) -> Sample:
    """The first traces that are few enough and small enough, and what belongs to them."""
    kept = min(READ, int(np.searchsorted(np.cumsum(traces["size"].to_numpy()), READ_TEXT, side="right")))
    if kept >= traces.num_rows:
        return Sample(traces, calls, told)
    traces = traces.slice(0, kept)
    calls = calls.filter(pc.is_in(calls["trace_id"], value_set=traces["trace_id"]))
    parents = dict(zip(told["hash"].to_pylist(), told["parent_hash"].to_pylist(), strict=True))
    needed: set[str] = set()
    for name in (*traces["system"].to_pylist(), *traces["told"].to_pylist()):
        at = name
        while at is not None and at not in needed:
            needed.add(at)
            at = parents.get(at)
    return Sample(traces, calls, told.filter(pc.is_in(told["hash"], value_set=pa.array(needed, pa.string()))))


def _once(told: pa.Table) -> pa.Table:
    """Each message once, in the order of their hashes."""
    told = told.sort_by("hash")
    hashes = told["hash"].combine_chunks() if told.num_rows else pa.array([], pa.string())
    if len(hashes) < 2:
        return told
    fresh = pc.not_equal(hashes.slice(1), hashes.slice(0, len(hashes) - 1))
    return told.filter(pa.concat_arrays([pa.array([True]), fresh]))


def _calls(steps: pa.Table, ids: pa.Array) -> tuple[pa.Table, NDArray[np.int64]]:
    """The calls of these traces in order, and the place of each one's trace."""
    at = pc.index_in(steps["trace_id"], value_set=ids)
    own = steps.append_column("at", at).filter(pc.and_(pc.is_valid(at), pc.equal(steps["kind"], "tool")))
    own = own.sort_by([("at", "ascending"), ("step_idx", "ascending")])
    failed = pc.equal(own["status"], "error")
    made = pa.table(
        {
            "trace_id": own["trace_id"],
            "tool": pc.if_else(_some(own["tool_name"]), own["tool_name"], _or(own["name"], "tool")),
            "args": pc.fill_null(own["tool_args"], ""),
            "result": pc.fill_null(own["tool_result"], ""),
            "error": pc.if_else(failed, _or(own["error_signature"], "error"), pa.scalar(None, pa.string())),
        },
        schema=CALLS,
    )
    return made, own["at"].to_numpy()


def _some(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(column, ""), False)


def _or(column: pa.ChunkedArray, other: str) -> pa.ChunkedArray:
    return pc.if_else(_some(column), column, other)


def _sizes(calls: pa.Table) -> NDArray[np.float64]:
    return np.asarray(pc.add(pc.binary_length(calls["args"]), pc.binary_length(calls["result"])).to_numpy(), np.float64)


def _chain(messages: Messages, last: str | None, told: dict[str, tuple[str, str | None, str]]) -> str | None:
    """Takes a history's spoken lines into `told`; the name of the last of them."""
    if last is None:
        return None
    if last in told:
        return last
    lines = messages.lines(last)
    told.update((line[0], line) for line in lines)
    return lines[0][0] if lines else None


def _length(last: str | None, told: dict[str, tuple[str, str | None, str]]) -> int:
    size = 0
    while last is not None:
        _, last, content = told[last]
        size += len(content.encode("utf-8", "surrogatepass"))
    return size
