"""Rows of opened objects, sorted by their slice of time, in this process's own folder: an object is opened once.

Rows are held in memory up to `IN_MEMORY` bytes and then appended to a file a slice. To read some traces again, only the
slices from their first row to their last are looked through. The folder goes with the process; whoever comes after it
opens the objects again.
"""

import struct
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from ninefold.traces.objects import UNKNOWN
from ninefold.traces.objects import Packed as Opened
from ninefold.traces.spool import IN_MEMORY, Packed, Record, unpacked

_FRAME = struct.Struct("<QIQ")
"""Hash of the trace, bytes of its id, bytes of what follows: the place of the object and the row."""
_PLACE = struct.Struct(">I")
"""Big endian: rows that begin with their place are sorted by it."""


class Scratch:
    """Rows by slices of `length` nanoseconds; a context manager."""

    def __init__(self, length: int, limit: int = IN_MEMORY) -> None:
        self._length, self._limit = length, limit
        self._folder = tempfile.TemporaryDirectory(prefix="ninefold-")
        self._held: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._bytes = 0
        self._files: dict[int, Path] = {}
        self.objects: set[int] = set()
        """Places of the objects whose rows are here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def add(self, place: int, rows: Iterable[Opened]) -> None:
        """Take the rows of the object at this place."""
        where = _PLACE.pack(place)
        for row in rows:
            name = row.trace_id.encode("utf-8", "surrogatepass")
            size = len(where) + len(row.data)
            frame = self._held[self._number(row.moment)]
            frame += _FRAME.pack(row.trace, len(name), size) + name + where + row.data
            self._bytes += _FRAME.size + len(name) + size
            if self._bytes > self._limit:
                self._flush()
        self.objects.add(place)

    def rows(self, traces: Collection[int], start: int, end: int) -> Iterator[Packed]:
        """The rows of traces with these hashes that begin between two times (included), or have none.

        They are in the form that `in_order` takes.
        """
        for number in self._between(start, end):
            if number in self._files:
                with self._files[number].open("rb") as file:
                    while head := file.read(_FRAME.size):
                        trace, of_name, size = _FRAME.unpack(head)
                        if trace in traces:
                            yield _named(file.read(of_name)), file.read(size)
                        else:
                            file.seek(of_name + size, 1)
            held, at = self._held.get(number, b""), 0
            while at < len(held):
                trace, of_name, size = _FRAME.unpack_from(held, at)
                row = at + _FRAME.size + of_name
                if trace in traces:
                    yield _named(held[at + _FRAME.size : row]), bytes(held[row : row + size])
                at = row + size

    def size(self, start: int, end: int) -> int:
        """Bytes of all rows between two times (included), and of those without one."""
        own = self._between(start, end)
        files = sum(self._files[n].stat().st_size for n in own if n in self._files)
        return files + sum(len(self._held.get(n, b"")) for n in own)

    def _between(self, start: int, end: int) -> list[int]:
        first, last = self._number(start), self._number(end)
        return [n for n in sorted({*self._held, *self._files}) if first <= n <= last or n == UNKNOWN]

    def _number(self, moment: int) -> int:
        return UNKNOWN if moment == UNKNOWN else moment // self._length

    def _flush(self) -> None:
        for number, data in self._held.items():
            path = self._files.setdefault(number, Path(self._folder.name) / str(number))
            with path.open("ab") as file:
                file.write(data)
        self._held.clear()
        self._bytes = 0


def in_order(rows: list[bytes]) -> list[Record]:
    """Rows of one trace as they stand in their objects, in the order of the objects, whichever was opened first."""
    ordered = sorted(rows, key=itemgetter(slice(_PLACE.size)))
    return [unpacked(memoryview(row)[_PLACE.size :]) for row in ordered]


def _named(name: bytes | bytearray) -> str:
    return name.decode("utf-8", "surrogatepass")
