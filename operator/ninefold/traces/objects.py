"""What lies in an object (a file of a volume, an object of a store), so that it is opened once and not again.

The spans of one trace may lie in any objects, and those of one object in many slices of time. So for each object an
`Entry` is kept: which traces it holds rows of, from when to when, and a digest of those rows. The entries of all
objects say which slice a trace belongs to and which objects are needed to see it whole (`ninefold.traces.catalogue`),
without opening any of them.

An entry holds for an object of the same name, size and time of change. Those only say that an object need not be
opened again; whether a slice has changed is decided by the digests. So a copy with a new time costs one reading of the
object and no reading of its slices, and a file that is appended to makes stale only the slices of what was appended.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ninefold.traces.backend import Window
from ninefold.traces.model import TraceRecord
from ninefold.traces.spool import Record, packed

UNKNOWN = np.iinfo(np.int64).max
"""The time of rows that carry none, such as scores in a table of their own."""
_ROW = np.dtype([("trace", "<u8"), ("start", "<i8"), ("end", "<i8"), ("digest", "<u8")])
_WRAP = 2**64


@dataclass(frozen=True)
class Object:
    """One object: its name below the root, and what says that it is still the one that was read."""

    name: str
    size: int
    changed: int
    """Nanoseconds since 1970, as the volume or store says; 0: it does not say."""
    handle: Any = field(default=None, compare=False, repr=False)
    """What the backend opens it by."""

    @property
    def tag(self) -> str:
        return f"{self.size}/{self.changed}"

    @property
    def key(self) -> str:
        """Its name in an index: names of files need not be text."""
        return hashlib.blake2b(self.name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@runtime_checkable
class ObjectSource(Protocol):
    """A backend whose traces lie in objects, and that can be asked for the rows of one of them."""

    losses: Counter[str]

    def objects(self, window: Window) -> Sequence[Object]:
        """The objects that may hold rows of traces of the window, in a fixed order. Opens none."""
        ...

    def rows(self, one: Object) -> Iterator[tuple[str, Record]]:
        """The rows of an object, each with the id of its trace. Content never raises; it is counted in `losses`."""
        ...

    def moment(self, row: Record) -> int | None:
        """When a row began, nanoseconds since 1970. A trace starts with the earliest of its rows."""
        ...

    def traces(self, groups: Iterable[list[Record]]) -> Iterator[TraceRecord]:
        """The traces of groups of rows, each all rows of one trace."""
        ...


@dataclass(frozen=True)
class Entry:
    """What an object holds. `rows` has one element a trace: its hash, earliest and latest time, digest of its rows."""

    tag: str
    rows: Any
    losses: dict[str, int] = field(default_factory=dict)
    """What was counted while it was read; the same however often that is."""

    def to_bytes(self) -> bytes:
        head = json.dumps({"tag": self.tag, "losses": self.losses}, sort_keys=True).encode()
        return len(head).to_bytes(4, "big") + head + zlib.compress(self.rows.tobytes(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Entry":
        """Raises ValueError for bytes that are no entry."""
        try:
            size = int.from_bytes(data[:4], "big")
            head = json.loads(data[4 : 4 + size])
            rows = np.frombuffer(zlib.decompress(data[4 + size :]), _ROW)
            return cls(str(head["tag"]), rows, {str(k): int(v) for k, v in head["losses"].items()})
        except (KeyError, TypeError, AttributeError, zlib.error) as error:
            raise ValueError(f"no entry of an index of objects: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Packed:
    """One row as bytes, with its trace's id and the hash of that, and its time (`UNKNOWN` without one)."""

    trace_id: str
    trace: int
    moment: int
    data: bytes


class Indexing:
    """Makes the entry of one object while its rows stream by."""

    def __init__(self) -> None:
        self._known: dict[str, list[int]] = {}

    def packed(self, rows: Iterable[tuple[str, Record]], source: ObjectSource) -> Iterator[Packed]:
        """The rows as bytes, each noted in the entry."""
        for trace_id, row in rows:
            data = packed(row)
            if data is None:
                source.losses["malformed_records"] += 1
                continue
            found = source.moment(row)
            moment = UNKNOWN if found is None or not -UNKNOWN < found < UNKNOWN else found
            noted = self._known.get(trace_id)
            if noted is None:
                noted = self._known[trace_id] = [trace_hash(trace_id), UNKNOWN, -UNKNOWN, 0]
            noted[1] = min(noted[1], moment)
            if moment != UNKNOWN:
                noted[2] = max(noted[2], moment)
            noted[3] = (noted[3] + _number(data)) % _WRAP
            yield Packed(trace_id, noted[0], moment, data)

    def entry(self, tag: str, losses: dict[str, int]) -> Entry:
        rows = np.array([tuple(noted) for noted in self._known.values()], _ROW)
        return Entry(tag, rows, losses)


def trace_hash(trace_id: str) -> int:
    """64 bits that stand for a trace's id in an index."""
    return _number(trace_id.encode("utf-8", "surrogatepass"))


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
