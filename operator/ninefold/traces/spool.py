"""Groups records by trace in bounded memory.

A backend's files hold the spans of one trace far apart, in any order, and a trace can only be assembled whole. What
fits is grouped in memory. More than `IN_MEMORY` is first dealt out to temporary files by a hash of the trace id, so
that every trace lies in one of them, and then each file is grouped on its own: memory is bounded by one file, and
nothing is lost however far apart the spans of a trace are.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, cast

from ninefold.traces.buckets import unit_hash

IN_MEMORY = 64 * 2**20
"""Bytes of input that are grouped without a detour; as Python objects they take about five times as much."""
MAX_RECORDS = 20_000
"""Records of one trace. What comes after is dropped and counted: a run-away trace must not take the others' memory."""

Record = dict[str, Any]


def by_trace(records: Iterable[tuple[str, Record]], size: int, losses: Counter[str]) -> Iterator[list[Record]]:
    """The records of one trace at a time, in the order in which they came. `size` is the input's size in bytes."""
    parts = -(-size // IN_MEMORY)
    if parts <= 1:
        yield from _group(records, losses)
        return
    with tempfile.TemporaryDirectory(prefix="ninefold-") as folder:
        names = [f"{folder}/{n}" for n in range(min(parts, 512))]
        files = [open(name, "w+b") for name in names]  # noqa: PTH123, SIM115
        try:
            for key, record in records:
                part = files[int(unit_hash(key, b"spool") * len(files))]
                part.write(json.dumps([key, record], separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n")
            for file in files:
                file.seek(0)
                rows = (json.loads(line.decode("utf-8", "surrogatepass")) for line in file)
                yield from _group(cast(Iterator[tuple[str, Record]], rows), losses)
        finally:
            for file in files:
                file.close()


def _group(records: Iterable[tuple[str, Record]], losses: Counter[str]) -> Iterator[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for key, record in records:
        group = groups.setdefault(key, [])
        if len(group) < MAX_RECORDS:
            group.append(record)
        else:
            losses["oversized_traces"] += 1
    while groups:
        yield groups.pop(next(iter(groups)))
