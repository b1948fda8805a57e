"""Groups rows by trace in bounded memory.

A backend's files hold the spans of one trace far apart, in any order, and a trace can only be assembled whole. Rows are
held as bytes, for as Python objects they take five times as much, and become objects again a trace at a time. What fits
is grouped in memory. More than `IN_MEMORY` is first dealt out to temporary files by a hash of the trace id, so that
every trace lies in one of them, and then each file is grouped on its own: memory is bounded by one file, and nothing is
lost however far apart the spans of a trace are. A run-away trace (above `MAX_RECORDS` or `MAX_TRACE`) must not take the
memory of the others: it is let go as soon as that shows, and counts once as `oversized_traces`.
"""

import json
import marshal
import struct
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import IO, Any, TypeVar

from ninefold.traces.buckets import unit_hash

IN_MEMORY = 64 * 2**20
"""Bytes of rows that are grouped without a detour."""
MAX_PARTS = 512
"""Files open at once."""
MAX_RECORDS = 20_000
"""Records of one trace."""
MAX_TRACE = 256 * 2**20
"""Bytes of one trace's rows."""

Record = dict[str, Any]
_Row = TypeVar("_Row")
Packed = tuple[str, bytes]
"""A trace's id and one of its rows."""
_FRAME = struct.Struct("<II")
"""Bytes of the id and of the row."""


def by_trace(records: Iterable[tuple[str, Record]], size: int | None, losses: Counter[str]) -> Iterator[list[Record]]:
    """The records of one trace at a time, in the order in which they came.

    `size` is the input's size in bytes; None: unknown before it has been read, as that of a server's answers.
    """
    for group in packed_by_trace(_all_packed(records, losses), size, losses):
        yield [unpacked(row) for row in group]


def packed_by_trace(rows: Iterable[Packed], size: int | None, losses: Counter[str]) -> Iterator[list[bytes]]:
    """As `by_trace`, of rows that are bytes already."""
    if size is None:
        rows, size = _measured(rows)
    parts = -(-size // IN_MEMORY)
    if parts <= 1:
        yield from _group(rows, losses)
        return
    with tempfile.TemporaryDirectory(prefix="ninefold-") as folder:
        names = [f"{folder}/{n}" for n in range(min(parts, MAX_PARTS))]
        files = [open(name, "w+b") for name in names]  # noqa: PTH123, SIM115
        try:
            for key, row in rows:
                name = key.encode("utf-8", "surrogatepass")
                part = files[int(unit_hash(key, b"spool") * len(files))]
                part.write(_FRAME.pack(len(name), len(row)) + name + row)
            for file in files:
                file.seek(0)
                yield from _group(_framed(file), losses)
        finally:
            for file in files:
                file.close()


def packed(row: Record) -> bytes | None:
    """A row as bytes, equal for equal rows; None for one that is nested deeper than anybody nests."""
    try:
        return marshal.dumps(row, 2)  # of this version alone, equal values give equal bytes
    except ValueError:
        pass
    try:  # times and decimals within nested columns become text
        return marshal.dumps(json.loads(json.dumps(row, default=str)), 2)
    except (ValueError, RecursionError, TypeError):
        return None


def unpacked(data: bytes | memoryview) -> Record:
    """The row of `packed`, which this process has packed itself."""
    found: Record = marshal.loads(data)  # noqa: S302 - never anything that came from outside
    return found


def _all_packed(records: Iterable[tuple[str, Record]], losses: Counter[str]) -> Iterator[Packed]:
    for key, record in records:
        if (row := packed(record)) is None:
            losses["malformed_records"] += 1
        else:
            yield key, row


def _framed(file: IO[bytes]) -> Iterator[Packed]:
    while head := file.read(_FRAME.size):
        of_key, of_row = _FRAME.unpack(head)
        yield file.read(of_key).decode("utf-8", "surrogatepass"), file.read(of_row)


def _measured(rows: Iterable[Packed]) -> tuple[Iterable[Packed], int]:
    """The same rows, read as far as memory allows, and their size, or the largest if they are not at their end."""
    held: deque[Packed] = deque()
    rest, size = iter(rows), 0
    for key, row in rest:
        held.append((key, row))
        size += len(row)
        if size > IN_MEMORY:
            return _drained(held, rest), MAX_PARTS * IN_MEMORY
    return held, size


def _drained(held: deque[Packed], rest: Iterator[Packed]) -> Iterator[Packed]:
    while held:
        yield held.popleft()
    yield from rest


def _group(rows: Iterable[Packed], losses: Counter[str]) -> Iterator[list[bytes]]:
    groups: dict[str, list[bytes] | None] = {}
    sizes: dict[str, int] = {}
    for key, row in rows:
        group = groups.setdefault(key, [])
        if group is None:
            continue
        size = sizes[key] = sizes.get(key, 0) + len(row)
        if len(group) < MAX_RECORDS and size <= MAX_TRACE:
            group.append(row)
        else:
            groups[key] = None
            losses["oversized_traces"] += 1
    while groups:
        if (whole := groups.pop(next(iter(groups)))) is not None:
            yield whole


def bounded(records: Iterable[_Row], losses: Counter[str]) -> list[_Row]:
    """The records of one trace; empty, counted, when there are too many or too large ones to hold."""
    held: list[_Row] = []
    size = 0
    for record in records:
        size += weight(record)
        if len(held) >= MAX_RECORDS or size > MAX_TRACE:
            losses["oversized_traces"] += 1
            return []
        held.append(record)
    return held


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
