"""Files below one root, and their lines, whatever they contain.

The root is a mounted volume that others write to, so nothing in it is trusted: a link may lead out of it, a file may
end in the middle of a gzip block, a line may be endless. Links that leave the root are not followed; a broken file
gives what it has; a line above `MAX_LINE` is dropped without being held. Each is a loss with a name.
"""

import gzip
import io
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from ninefold.traces.bombs import BombError, Bounded
from ninefold.traces.problem import TracesProblem

MAX_LINE = 64 * 2**20
"""Bytes. A span with a long history is a few MB; one line above this would take memory that others need."""
_GZIP_MAGIC = b"\x1f\x8b"


def find_files(root: Path, pattern: str, losses: Counter[str]) -> list[Path]:
    """The regular files that `pattern` names below `root`: a file, a folder (all below it) or a glob; empty is all.

    Hidden names are left out: a mounted ConfigMap keeps its versions in hidden folders. Each file is named once, in
    the order of its path. Links that lead out of the root count as `outside_root`.
    """
    real_root = root.resolve()
    if not pattern:
        hits = [root]
    elif any(c in pattern for c in "*?["):
        hits = sorted(root.glob(pattern))
    else:
        hits = [root / pattern]
    found: dict[Path, None] = {}
    for hit in hits:
        for path in _walk(hit):
            real = path.resolve()
            if not real.is_relative_to(real_root):
                losses["outside_root"] += 1
            elif real.is_file():
                found.setdefault(real)
    return list(found)


def require_files(root: Path, pattern: str, losses: Counter[str]) -> list[Path]:
    """As `find_files`; TracesProblem when nothing matches, with names that are there instead."""
    if found := find_files(root, pattern, losses):
        return found
    there = [str(p.relative_to(root.resolve())) for p in islice(find_files(root, "", Counter()), 5)]
    raise TracesProblem(
        "NoFiles",
        f"no file of the volume matches path {pattern!r}: "
        + (f"it holds {', '.join(there)}" if there else "the volume is empty"),
    )


def _walk(start: Path) -> Iterator[Path]:
    if not start.is_dir():
        if start.exists() or start.is_symlink():
            yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(n for n in folders if not n.startswith("."))
        yield from (Path(folder) / n for n in sorted(names) if not n.startswith("."))


def lines(path: Path, losses: Counter[str]) -> Iterator[bytes]:
    """The lines of a file, gzipped or not, without their ends; blank ones are left out. Never raises for content."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if zipped:
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield from _split(io.BufferedReader(Bounded(stream, path.stat().st_size)), losses)
            else:
                yield from _split(raw, losses)
    except BombError:
        losses["zip_bombs"] += 1
    except (OSError, EOFError, zlib.error):
        losses["unreadable_files"] += 1


def _split(stream: IO[bytes], losses: Counter[str]) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            losses["oversized_lines"] += 1
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        elif line := line.strip():
            yield line


def decode(line: bytes, losses: Counter[str]) -> str:
    """Text of a line. Bytes that are no UTF-8 become U+FFFD, and the line counts as `invalid_utf8`."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        losses["invalid_utf8"] += 1
        return line.decode(errors="replace")


def loaded(line: bytes, losses: Counter[str]) -> Any:
    """The JSON of a line. The strict reader is five times as quick; what it refuses, the lenient one decides.

    Raises ValueError or RecursionError for what is none.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(decode(line, losses))


def json_objects(path: Path, losses: Counter[str]) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file; a line that is none counts as `malformed_lines`."""
    for line in lines(path, losses):
        try:
            row = json.loads(decode(line, losses))
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield row
        else:
            losses["malformed_lines"] += 1
