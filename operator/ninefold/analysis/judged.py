"""One row a judged trace: all that is kept of every trace, whatever its bucket.

Rows stand in the order of `key`, a hash of the trace's id. It is the order in which traces are sampled, and in which
they are numbered; it is the same however the traces came.
"""

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.intents import terms_of
from ninefold.analysis.messages import Messages, first_history
from ninefold.api.cases import Bucket
from ninefold.traces import BY_JUDGE, StepTable, bucket_of

BUCKETS: tuple[Bucket, ...] = ("analysis", "selection", "sealed")
ROWS = pa.schema(
    [
        ("key", pa.uint64()),
        ("trace_id", pa.string()),
        ("session_id", pa.string()),  # null: the trace's id
        ("task", pa.uint64()),  # number of the task, or of the session where no task is named
        ("task_named", pa.bool_()),
        ("intent", pa.string()),  # null: none
        ("day", pa.uint16()),  # since 1970
        ("version", pa.string()),
        ("solved", pa.bool_()),
        ("by_judge", pa.bool_()),  # a model says whether it was solved: good enough to compare decisions by, no rate
        ("bucket", pa.uint8()),  # place in BUCKETS
        ("steps", pa.uint32()),
        ("runnable", pa.bool_()),  # what the user said was recorded, so a case can be made of it
        ("asked", pa.list_(pa.uint16())),  # words of the first message as places; null: the user names intents
    ]
)
_READ = b"read"
_DAY = 86_400 * 10**9


def judged(table: StepTable, intent_key: str | None) -> pa.Table:
    """The rows of the judged traces."""
    traces = table.traces.filter(pc.is_valid(table.traces["outcome"]))
    ids, sessions = traces["trace_id"], traces["session_id"]
    keys = np.array([number(t, _READ) for t in ids.to_pylist()], np.uint64)
    steps = table.steps["trace_id"].value_counts()
    own = pc.index_in(ids, value_set=steps.field("values"))
    messages, first = Messages(table.messages), first_history(table.steps)
    rows = {
        "key": pa.array(keys),
        "trace_id": ids,
        "session_id": pc.if_else(pc.equal(ids, sessions), pa.scalar(None, pa.string()), sessions),
        "task": numbers(pc.coalesce(traces["task_key"], sessions)),
        "task_named": pc.is_valid(traces["task_key"]),
        "intent": intents(traces["metadata"], intent_key),
        "day": pc.cast(pc.divide(pc.cast(traces["start_ts"], pa.int64()), _DAY), pa.uint16()),
        "version": pc.fill_null(traces["agent_version"], ""),
        "solved": traces["outcome"],
        "by_judge": pc.equal(pc.fill_null(traces["outcome_source"], ""), BY_JUDGE),
        "bucket": pa.array([BUCKETS.index(bucket_of(s)) for s in sessions.to_pylist()], pa.uint8()),
        "steps": pc.cast(pc.fill_null(steps.field("counts").take(own.combine_chunks()), 0), pa.uint32()),
        "runnable": pa.array([messages.asks(first.get(t)) for t in ids.to_pylist()], pa.bool_()),
        "asked": pa.nulls(len(ids), ROWS.field("asked").type)
        if intent_key is not None
        else pa.array(terms_of([messages.asked(first.get(t)) for t in ids.to_pylist()]), ROWS.field("asked").type),
    }
    made = pa.table(rows, schema=ROWS)
    return made.take(pa.array(in_order(made)))


def in_order(rows: pa.Table) -> NDArray[np.int64]:
    """The places of rows by key, and by id where two have the same."""
    keys = rows["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.lexsort((np.array(rows["trace_id"].to_pylist(), object), keys))
    return np.asarray(order, np.int64)


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    if isinstance(column, pa.Array):
        return column
    made = column.combine_chunks()
    return made if isinstance(made, pa.Array) else pa.array([], column.type)


def intents(metadata: pa.ChunkedArray, key: str | None) -> pa.Array:
    """The metadata field that the user named, as text; null where there is none."""
    if key is None:
        return pa.nulls(len(metadata), pa.string())
    read: list[Any] = [json.loads(m).get(key) for m in metadata.to_pylist()]
    return pa.array([None if v is None else str(v) for v in read], pa.string())


def number(text: str, salt: bytes = b"") -> int:
    """A stable 64-bit number for a text, spread evenly: a salted BLAKE2b."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=salt).digest(), "big")


def numbers(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A stable 64-bit number for each text; each distinct text is hashed once."""
    encoded = pc.dictionary_encode(whole(texts))
    return pa.array([number(t) for t in encoded.dictionary.to_pylist()], pa.uint64()).take(encoded.indices)
