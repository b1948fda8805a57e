"""What one slice of the traces leaves behind, so that it is read once: a part, and parts put together.

A part is made from the table of steps of some whole traces, travels as bytes, and is analysed with the parts of other
slices in any order. What was counted on the way (losses, names that were seen) rides along.
"""

import json
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.api.artifacts import RunInputs
from ninefold.traces.table import MESSAGES, SCORES, STEPS, TRACES, Seen, StepTable

_MAGIC = b"ninefold part 1\n"
_SCHEMAS = {"traces": TRACES, "steps": STEPS, "scores": SCORES, "messages": MESSAGES}
_SEEN = ("agents", "environments", "scores", "metadata_keys")
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Part:
    """The traces of one slice."""

    table: StepTable

    @classmethod
    def of(cls, table: StepTable, inputs: RunInputs) -> Self:
        """The part of these traces, which must be whole, under the settings of a run."""
        return cls(table)

    def to_bytes(self) -> bytes:
        """As bytes, compressed; equal parts give equal bytes."""
        seen = self.table.seen
        head = {"losses": self.table.losses, "seen": seen.traces, **{name: getattr(seen, name) for name in _SEEN}}
        blocks = [json.dumps(head, sort_keys=True).encode()]
        blocks += [_packed(getattr(self.table, name)) for name in _SCHEMAS]
        return _MAGIC + b"".join(_LENGTH.pack(len(block)) + block for block in blocks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ValueError with a sentence when these bytes are no part, or one of another release."""
        if not data.startswith(_MAGIC):
            raise ValueError(
                "these bytes are no part of an analysis that this release reads: read the slice of traces again"
            )
        try:
            head, *blocks = _blocks(data)
            told = json.loads(head)
            tables = {name: _unpacked(block) for name, block in zip(_SCHEMAS, blocks, strict=True)}
            seen = Seen(int(told["seen"]), *(Counter(told[name]) for name in _SEEN))
            return cls(StepTable(**tables, losses=told["losses"], seen=seen))
        except (pa.ArrowException, struct.error, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"a part of an analysis is damaged ({error}): read the slice of traces again") from None


def together(parts: Iterable[Part]) -> StepTable:
    """One table of all parts. A trace that several parts hold counts once, as does a message."""
    own = list(parts)
    losses: Counter[str] = Counter()
    seen = Seen()
    for part in own:
        losses.update(part.table.losses)
        more = part.table.seen
        seen = Seen(seen.traces + more.traces, *(getattr(seen, name) + getattr(more, name) for name in _SEEN))
    tables = {n: pa.concat_tables([getattr(p.table, n) for p in own] or [s.empty_table()]) for n, s in _SCHEMAS.items()}
    if twice := tables["traces"].num_rows - len(pc.unique(tables["traces"]["trace_id"])):
        losses["duplicate_traces"] += twice
        known: set[str] = set()
        kept = []
        for part in own:
            ids = part.table.traces["trace_id"].to_pylist()
            fresh = [i for i in ids if i not in known]
            known.update(fresh)
            kept.append((part.table, pa.array(fresh, pa.string())))
        for name in ("traces", "steps", "scores"):
            tables[name] = pa.concat_tables([_only(getattr(t, name), ids) for t, ids in kept])
    messages = tables["messages"]
    numbered = messages.append_column("row", pa.array(range(messages.num_rows), pa.int64()))
    first = numbered.group_by("hash", use_threads=False).aggregate([("row", "min")])
    tables["messages"] = messages.take(first["row_min"])
    return StepTable(**tables, losses=dict(sorted(losses.items())), seen=seen)


def _only(table: pa.Table, ids: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["trace_id"], value_set=ids))


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def _unpacked(block: bytes) -> pa.Table:
    return pa.ipc.open_stream(block).read_all()


def _blocks(data: bytes) -> list[bytes]:
    out, at = [], len(_MAGIC)
    while at < len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > len(data):
            raise ValueError("it ends too early")
        out.append(data[at : at + size])
        at += size
    return out
