"""Groups records by trace in bounded memory.

A backend's files hold the spans of one trace far apart, in any order, and a trace can only be assembled whole. What
fits is grouped in memory. More than `IN_MEMORY` is first dealt out to temporary files by a hash of the trace id, so
that every trace lies in one of them, and then each file is grouped on its own: memory is bounded by one file, and
nothing is lost however far apart the spans of a trace are. A run-away trace (above `MAX_RECORDS` or `MAX_TRACE`) must
not take the memory of the others: it is let go as soon as that shows, and counts once as `oversized_traces`.
"""

import json
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ninefold.traces.buckets import unit_hash

IN_MEMORY = 64 * 2**20
"""Bytes of input that are grouped without a detour; as Python objects they take about five times as much."""
MAX_PARTS = 512
"""Files open at once."""
MAX_RECORDS = 20_000
"""Records of one trace."""
MAX_TRACE = 256 * 2**20
"""Characters of content in one trace."""

Record = dict[str, Any]


def by_trace(records: Iterable[tuple[str, Record]], size: int | None, losses: Counter[str]) -> Iterator[list[Record]]:
    """The records of one trace at a time, in the order in which they came.

    `size` is the input's size in bytes; None: unknown before it has been read, as that of a server's answers.
    """
    if size is None:
        records, size = _measured(records)
    parts = -(-size // IN_MEMORY)
    if parts <= 1:
        yield from _group(records, losses)
        return
    with tempfile.TemporaryDirectory(prefix="ninefold-") as folder:
        names = [f"{folder}/{n}" for n in range(min(parts, MAX_PARTS))]
        files = [open(name, "w+b") for name in names]  # noqa: PTH123, SIM115
        try:
            for key, record in records:
                part = files[int(unit_hash(key, b"spool") * len(files))]
                part.write(_packed([key, record]))
            for file in files:
                file.seek(0)
                yield from _group(map(_unpacked, file), losses)
        finally:
            for file in files:
                file.close()


def _packed(row: list[Any]) -> bytes:
    """A line. What the quick writer does not know (halves of surrogate pairs, huge numbers) begins with a blank."""
    try:
        return orjson.dumps(row) + b"\n"
    except TypeError:
        return b" " + json.dumps(row, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _unpacked(line: bytes) -> tuple[str, Record]:
    quick = not line.startswith(b" ")
    key, record = orjson.loads(line) if quick else json.loads(line.decode("utf-8", "surrogatepass"))
    return key, record


def _measured(records: Iterable[tuple[str, Record]]) -> tuple[Iterable[tuple[str, Record]], int]:
    """The same records, read as far as memory allows, and their size, or the largest if they are not at their end."""
    held: deque[tuple[str, Record]] = deque()
    rest, size = iter(records), 0
    for key, record in rest:
        held.append((key, record))
        size += len(json.dumps(record))
        if size > IN_MEMORY:
            return _drained(held, rest), MAX_PARTS * IN_MEMORY
    return held, size


def _drained(held: deque[tuple[str, Record]], rest: Iterator[tuple[str, Record]]) -> Iterator[tuple[str, Record]]:
    while held:
        yield held.popleft()
    yield from rest


def _group(records: Iterable[tuple[str, Record]], losses: Counter[str]) -> Iterator[list[Record]]:
    groups: dict[str, list[Record] | None] = {}
    sizes: Counter[str] = Counter()
    for key, record in records:
        group = groups.setdefault(key, [])
        if group is None:
            continue
        sizes[key] += weight(record)
        if len(group) < MAX_RECORDS and sizes[key] <= MAX_TRACE:
            group.append(record)
        else:
            groups[key] = None
            losses["oversized_traces"] += 1
    while groups:
        if (whole := groups.pop(next(iter(groups)))) is not None:
            yield whole


def bounded(records: Iterable[Record], losses: Counter[str]) -> list[Record]:
    """The records of one trace; empty, counted, when there are too many or too large ones to hold."""
    return next(_group((("", record) for record in records), losses), [])


def weight(record: Any) -> int:
    """Characters of the texts in a record, however deep."""
    if isinstance(record, str):
        return len(record)
    size, stack = 0, [record]
    while stack:
        value = stack.pop()
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            if isinstance(inner, str):
                size += len(inner)
            elif isinstance(inner, (dict, list)):
                stack.append(inner)
    return size
