"""Stored files and the records in them, on a volume or in an object store, whatever wraps them.

The collector's exporters wrap the same messages in many ways, which are told apart by their first bytes, not by their
names:

- the file exporter writes JSON a line; or, for protobuf and for everything compressed, a length of four bytes (big
  endian) before each record, and compresses each record on its own (zstd);
- the S3 exporter writes one message an object, JSON or protobuf, the whole gzipped or in zstd, below partitioned
  folders (`year=2026/month=11/day=23/hour=16/minute=05`).

Nothing in a file is trusted: a record above `MAX_RECORD` is skipped without being held, a file that unpacks to far more
than its size is left (`zip_bombs`), one that ends early gives what it has (`unreadable_files`).
"""

import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from ninefold.traces.backend import Window
from ninefold.traces.bombs import BombError, Bounded
from ninefold.traces.paths import MAX_LINE as MAX_RECORD

LATE = 24 * 3600 * 10**9
"""Nanoseconds by which a partition's time, which is that of the export, may differ from its spans'."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PARTITION = re.compile(
    r"year=(\d{4})/month=(\d{1,2})/day=(\d{1,2})(?:/hour=(\d{1,2}))?(?:/minute=(\d{1,2}))?", re.ASCII
)
_BLANK = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True)
class Stored:
    """One file: its path below the root (with `/`), size in bytes, a way to open it, and when it was changed.

    `changed` is in nanoseconds since 1970, as the volume or store says.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    changed: int = 0


def on_volume(paths: list[Path], root: Path) -> list[Stored]:
    """Files of a mounted volume."""
    return [
        Stored(p.relative_to(root).as_posix(), stat.st_size, lambda p=p: p.open("rb"), stat.st_mtime_ns)  # type: ignore[misc]
        for p, stat in ((p, p.stat()) for p in paths)
    ]


def of_time(files: list[Stored], window: Window, losses: Counter[str]) -> list[Stored]:
    """Without those whose partitioned folder is of another time than the window's, a day of lateness allowed."""
    kept = [f for f in files if _overlaps(f.name, window)]
    losses["files_outside_window"] += len(files) - len(kept)
    return kept


def _overlaps(name: str, window: Window) -> bool:
    found = _PARTITION.search(name)
    if found is None:
        return True
    year, month, day, hour, minute = (int(g) if g else 0 for g in found.groups())
    try:
        moment = int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return True
    length = (60 if found.group(5) else 3600 if found.group(4) else 86400) * 10**9
    return moment + length + LATE > window.start and moment - LATE < window.end


def records(file: Stored, losses: Counter[str]) -> Iterator[bytes]:
    """The records of a file, unpacked. Never raises for content."""
    try:
        with file.open() as raw:
            stream = unpacked(_buffered(raw), file.size)
            for record in _records(stream, losses):
                whole = _whole(record)
                if whole is None:
                    losses["oversized_records"] += 1
                else:
                    yield whole
    except BombError:
        losses["zip_bombs"] += 1
    except (OSError, EOFError, zlib.error, pa.ArrowException):
        losses["unreadable_files"] += 1


def unpacked(stream: io.BufferedReader, size: int) -> io.BufferedReader:
    """The stream without its compression as a whole, if it has one. `size` is the file's, in bytes."""
    head = stream.peek(4)[:4]
    for magic, codec in ((_GZIP, "gzip"), (_ZSTD, "zstd")):
        if head.startswith(magic):
            # Arrow's gzip gives nothing of a last block that is cut, Python's all that is there.
            inner = gzip.GzipFile(fileobj=stream) if codec == "gzip" else _zstd(stream)
            return io.BufferedReader(Bounded(inner, size), 2**16)
    return stream


def _zstd(stream: io.BufferedReader) -> io.BufferedReader:
    packed = pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")
    return io.BufferedReader(cast(Any, packed), 2**16)


def is_json(record: bytes) -> bool:
    """Whether a record is JSON. A protobuf message may begin with the same bytes as a blank and a brace."""
    head = record[:64].lstrip(_BLANK)
    return head[:1] == b"{" and head[1:].lstrip(_BLANK)[:1] in (b'"', b"}", b"")


def _buffered(raw: IO[bytes]) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(Any, raw), 2**16)


def _records(stream: io.BufferedReader, losses: Counter[str]) -> Iterator[bytes]:
    head = stream.peek(64)[:64]
    if not head or is_json(head):
        yield from _lines(stream, losses)
    elif head[:1] == b"\x0a":  # the tag of TracesData.resource_spans: one bare message
        yield from _one(stream, losses)
    elif len(head) > 4 and head[0] <= 4 and head[4:5] in (b"\x0a", b"{", _ZSTD[:1], _GZIP[:1]):
        yield from _prefixed(stream, losses)
    else:
        yield from _lines(stream, losses)


def _one(stream: io.BufferedReader, losses: Counter[str]) -> Iterator[bytes]:
    data = stream.read(MAX_RECORD + 1)
    if len(data) > MAX_RECORD:
        losses["oversized_records"] += 1
    else:
        yield data


def _lines(stream: io.BufferedReader, losses: Counter[str]) -> Iterator[bytes]:
    """Lines that are not blank; a first line of one brace alone means that the whole file is one pretty message."""
    first = True
    while line := stream.readline(MAX_RECORD):
        if len(line) == MAX_RECORD and not line.endswith(b"\n"):
            losses["oversized_lines"] += 1
            while (rest := stream.readline(MAX_RECORD)) and not rest.endswith(b"\n"):
                pass
        elif line := line.strip(_BLANK):
            if first and line == b"{" and stream.peek(64)[:64].lstrip(_BLANK)[:1] == b'"':
                yield from (b"{" + rest for rest in _one(stream, losses))
                return
            yield line
        first = False


def _prefixed(stream: io.BufferedReader, losses: Counter[str]) -> Iterator[bytes]:
    while prefix := stream.read(4):
        length = int.from_bytes(prefix, "big")
        if len(prefix) < 4 or length == 0:
            losses["truncated_files"] += 1
            return
        if length > MAX_RECORD:
            losses["oversized_records"] += 1
            while length and (skipped := stream.read(min(length, 2**20))):
                length -= len(skipped)
            continue
        record = stream.read(length)
        if len(record) < length:
            losses["truncated_files"] += 1
            return
        yield record


def _whole(record: bytes) -> bytes | None:
    """A record without its own compression; None when it unpacks to more than one may be."""
    if not record.startswith((_GZIP, _ZSTD)):
        return record
    data = unpacked(io.BufferedReader(cast(Any, io.BytesIO(record))), len(record)).read(MAX_RECORD + 1)
    return None if len(data) > MAX_RECORD else data
