"""What is kept of text: of a sample of traces by hash, always the same, what `reading` finds in their calls.

The sample is the traces with the smallest keys, as many as `READ` and as their text fits `READ_TEXT`. What is smallest
in a union is among what is smallest in each part, so samples of parts give exactly the sample of all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.intents import MOST_TEXT
from ninefold.analysis.messages import Messages, first_history, last_history
from ninefold.analysis.ragged import places
from ninefold.analysis.reading import CALLS, Told, read
from ninefold.analysis.words import numbers, words
from ninefold.traces import StepTable

READ = 20_000
"""Traces whose calls are read word by word."""
NOWHERE = 2**64
"""Above all keys."""
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
        ("calls", pa.uint32()),
    ]
)
TOLD = pa.schema([("hash", pa.string()), ("parent_hash", pa.string()), ("words", pa.list_(pa.string()))])


@dataclass(frozen=True)
class Sample:
    """Traces in the order of their keys; their calls (`reading.CALLS`) in the order of traces and steps; the words of

    what was told, a message once. Of traces with a key of `end` or more nothing is known here: they had no room.
    """

    traces: pa.Table
    calls: pa.Table
    told: pa.Table
    end: int = NOWHERE


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
    told = _Told(messages)
    chains = [told.chain(last.get(t)) for t in ids.to_pylist()]
    systems = [told.chain(prompts.get(t)) for t in ids.to_pylist()]
    first = first_history(own)
    asked = [messages.asked(first.get(t))[:MOST_TEXT] for t in ids.to_pylist()]
    named = pc.is_null(rows["asked"])
    sizes = np.bincount(at, _sizes(calls), len(ids)).astype(np.int64)
    sizes += np.array([told.length(h) + told.length(s) for h, s in zip(chains, systems, strict=True)], np.int64)
    kept, end = _cut(rows["key"].to_numpy(), sizes, NOWHERE)
    inside = int(np.searchsorted(at, kept))
    calls, at = calls.slice(0, inside), at[:inside]
    made = pa.table(
        {
            "key": rows["key"],
            "trace_id": rows["trace_id"],
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
            "calls": pa.array(np.bincount(at, minlength=rows.num_rows), pa.uint32()),
        },
        schema=TRACES,
    ).slice(0, kept)
    heard = [told.heard(h, s) for h, s in zip(chains[:kept], systems[:kept], strict=True)]
    return Sample(made, read(calls, at.tolist(), heard), _needed(made, told.lines()), end)


def union(samples: Sequence[Sample]) -> Sample:
    """The sample of all parts from the samples of each."""
    samples = smallest(samples)
    traces = pa.concat_tables([TRACES.empty_table(), *(s.traces for s in samples)])
    calls = pa.concat_tables([CALLS.empty_table(), *(s.calls for s in samples)])
    order = pc.sort_indices(traces, [("key", "ascending"), ("trace_id", "ascending")]).to_numpy().astype(np.int64)
    kept, end = _cut(
        traces["key"].to_numpy()[order],
        traces["size"].to_numpy()[order],
        min((s.end for s in samples), default=NOWHERE),
    )
    own, order = traces["calls"].to_numpy(), order[:kept]
    traces = traces.take(pa.array(order)).combine_chunks()
    told = pa.concat_tables([TOLD.empty_table(), *(s.told for s in samples)])
    calls = calls.take(pa.array(places(own, order))).combine_chunks()
    return Sample(traces, calls, _needed(traces, _once(told)), end)


def without(own: Sample, ids: pa.Array) -> Sample:
    """The sample but for some traces."""
    keep = np.flatnonzero(~np.asarray(pc.is_in(own.traces["trace_id"], value_set=ids)))
    calls = own.calls.take(pa.array(places(own.traces["calls"].to_numpy(), keep)))
    return Sample(own.traces.take(pa.array(keep)), calls, own.told, own.end)


def smallest(samples: Sequence[Sample]) -> list[Sample]:
    """Of each sample no more than can be in the union, with no hold on the rest.

    A trace that several have counts once, for which of them keeps it is not said here.
    """
    keys = np.unique(np.concatenate([np.zeros(0, np.uint64), *(s.traces["key"].to_numpy() for s in samples)]))
    if len(keys) <= READ:
        return list(samples)
    out = []
    for s in samples:
        # Traces stand in the order of their keys.
        kept = int(np.searchsorted(s.traces["key"].to_numpy(), keys[READ - 1], side="right"))
        if kept < s.traces.num_rows:
            traces = s.traces.take(pa.array(np.arange(kept)))
            calls = s.calls.take(pa.array(np.arange(int(traces["calls"].to_numpy().sum()))))
            told = _needed(traces, s.told)
            out.append(Sample(traces, calls, told, s.end))
        else:
            out.append(s)
    return out


def _cut(keys: NDArray[np.uint64], sizes: NDArray[np.int64], end: int) -> tuple[int, int]:
    """How many traces are few enough and small enough, and the key from which on nothing is known then.

    `keys` ascend. What is above `end` had no room in one part, so it has none among more traces.
    """
    known = int(np.searchsorted(keys, np.uint64(end))) if end < NOWHERE else len(keys)
    small = min(known, int(np.searchsorted(np.cumsum(sizes[:known]), READ_TEXT, side="right")))
    return min(READ, small), int(keys[small]) if small < known else end


def _needed(traces: pa.Table, told: pa.Table) -> pa.Table:
    """What these traces were told."""
    parents = dict(zip(told["hash"].to_pylist(), told["parent_hash"].to_pylist(), strict=True))
    needed: set[str] = set()
    for name in (*traces["system"].to_pylist(), *traces["told"].to_pylist()):
        at = name
        while at is not None and at not in needed:
            needed.add(at)
            at = parents.get(at)
    if len(needed) == told.num_rows:
        return told
    return told.filter(pc.is_in(told["hash"], value_set=pa.array(needed, pa.string())))


def _once(told: pa.Table) -> pa.Table:
    """Each message once, in the order of their hashes."""
    told = told.take(pc.sort_indices(told["hash"]))
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
            "tool": pc.if_else(_some(own["tool_name"]), own["tool_name"], _or(own["name"], "tool")),
            "args": pc.fill_null(own["tool_args"], ""),
            "result": pc.fill_null(own["tool_result"], ""),
            "error": pc.if_else(failed, _or(own["error_signature"], "error"), pa.scalar(None, pa.string())),
        }
    )
    return made, own["at"].to_numpy().astype(np.int64)


def _some(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(column, ""), False)


def _or(column: pa.ChunkedArray, other: str) -> pa.ChunkedArray:
    return pc.if_else(_some(column), column, other)


def _sizes(calls: pa.Table) -> NDArray[np.float64]:
    return np.asarray(pc.add(pc.binary_length(calls["args"]), pc.binary_length(calls["result"])).to_numpy(), np.float64)


class _Told:
    """What users and system said, each line once: many traces share a history, and nearly all a prompt."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._lines: dict[str, tuple[str | None, str]] = {}
        self._read: dict[str, Told] = {}
        self._heard: dict[tuple[str | None, str | None], Told] = {}

    def chain(self, last: str | None) -> str | None:
        """Takes a history's spoken lines in; the name of the last of them."""
        if last is None or last in self._lines:
            return last
        lines = self._messages.lines(last)
        self._lines.update((name, (parent, content)) for name, parent, content in lines)
        return lines[0][0] if lines else None

    def length(self, last: str | None) -> int:
        """Bytes of a history."""
        return sum(len(self._lines[at][1].encode("utf-8", "surrogatepass")) for at in self._names(last))

    def heard(self, *last: str | None) -> Told:
        """What is said by a trace's history and its prompt."""
        if (key := (last[0], last[-1])) not in self._heard:
            said = [self._said(at) for one in last for at in self._names(one)]
            known = (frozenset().union(*(s.words for s in said)), frozenset().union(*(s.numbers for s in said)))
            self._heard[key] = Told(*known)
        return self._heard[key]

    def lines(self) -> pa.Table:
        """Every line, as TOLD."""
        names = list(self._lines)
        words = pa.array([sorted(self._said(at).words) for at in names], TOLD.field("words").type)
        parents = pa.array([self._lines[at][0] for at in names], pa.string())
        return pa.table([pa.array(names, pa.string()), parents, words], schema=TOLD)

    def _said(self, at: str) -> Told:
        if at not in self._read:
            content = self._lines[at][1]
            self._read[at] = Told(frozenset(words(content)), frozenset(numbers(content)))
        return self._read[at]

    def _names(self, at: str | None) -> Iterator[str]:
        while at is not None:
            yield at
            at = self._lines[at][0]
