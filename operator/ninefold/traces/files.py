"""JSONL or Parquet files of one's own: a row is a step, and a mapping says which column holds what.

A column is named as it stands in the row, or as a dotted path into nested objects (`usage.input`); a name that has
dots of its own is tried first. Rows of one trace share the trace's id and may stand in any order and any file.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ninefold.api.tracebackend import Capabilities, FilesSource
from ninefold.traces import genai, parquet
from ninefold.traces.assemble import assemble
from ninefold.traces.backend import Window, within
from ninefold.traces.model import PROGRAM, Score, Span, StepKind, TraceRecord
from ninefold.traces.objects import Object
from ninefold.traces.paths import json_objects, require_files
from ninefold.traces.probe import PROBE_ROWS, capabilities
from ninefold.traces.spool import Record, by_trace
from ninefold.traces.stored import on_volume

_EXPANSION = 8
"""Compressed columns and gzipped lines take about this much more as rows."""
_UNITS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0.0, 1_000_000_000))
"""A number since 1970 is ns, us, ms or s by its size: each unit covers the years 1973 to 5138."""
_KINDS: dict[str, StepKind] = {"llm": "llm", "tool": "tool", "agent": "agent"}
_ENDING = re.compile(r"\.(jsonl|json|ndjson|parquet)(\.gz)?$")
_BAD = ("error", "failed", "failure", "false")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
Row = dict[str, Any]


class MappedFiles:
    """The `files` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, source: FilesSource, root: Path) -> None:
        self.losses: Counter[str] = Counter()
        self._source, self._map, self._root = source, source.mapping, root

    def probe(self) -> Capabilities:
        files = require_files(self._root, self._source.path, self.losses)
        return capabilities(files, self._assembled(islice(self._rows(files), PROBE_ROWS), 0), self.losses)

    def read(self, window: Window) -> Iterator[TraceRecord]:
        files = require_files(self._root, self._source.path, self.losses)
        packed = self._source.format == "parquet"
        size = sum(p.stat().st_size * (_EXPANSION if packed or p.suffix == ".gz" else 1) for p in files)
        yield from within(window, self._assembled(self._rows(files), size), self.losses)

    def _assembled(self, rows: Iterable[tuple[str, Row]], size: int) -> Iterator[TraceRecord]:
        yield from self.traces(by_trace(rows, size, self.losses))

    def _rows(self, files: list[Path]) -> Iterator[tuple[str, Row]]:
        root = self._root.resolve()
        for path in files:
            yield from self._rows_of(path, path.relative_to(root).as_posix())

    def _rows_of(self, path: Path, name: str) -> Iterator[tuple[str, Row]]:
        """Rows with their place, which names a step without an id: the same whatever other files there are."""
        rows = self._parquet(path) if self._source.format == "parquet" else json_objects(path, self.losses)
        for place, row in enumerate(rows):
            trace_id = pick(row, self._map.trace_id)
            if trace_id is None or trace_id == "":
                self.losses["rows_without_trace_id"] += 1
            else:
                yield str(trace_id), {"place": f"{_ENDING.sub('', name)}-{place:012d}", "row": row}

    # ------------------------------------------------------------ object by object, see `ninefold.traces.objects`

    def objects(self, window: Window) -> list[Object]:
        found = on_volume(require_files(self._root, self._source.path, self.losses), self._root.resolve())
        return [Object(f.name, f.size, f.changed, self._root.resolve() / f.name) for f in found]

    def rows(self, one: Object) -> Iterator[tuple[str, Record]]:
        for trace_id, row in self._rows_of(one.handle, one.name):
            if self.moment(row) is None:
                self.losses["rows_without_time"] += 1  # it belongs to no slice
            else:
                yield trace_id, row

    def moment(self, row: Record) -> int | None:
        return nanos(pick(row["row"], self._map.start_time))

    def traces(self, groups: Iterable[list[Record]]) -> Iterator[TraceRecord]:
        for group in groups:
            if spans := [s for s in (self._span(r) for r in group) if s]:
                yield assemble(spans, self.losses)

    # ------------------------------------------------------------ rows

    def _parquet(self, path: Path) -> Iterator[Row]:
        """Rows of a Parquet file, only the columns that the mapping names."""

        def wanted(names: Collection[str]) -> list[str]:
            return sorted({c if c in names else c.split(".")[0] for c in _columns(self._map)} & set(names))

        for row in parquet.rows(path, self.losses, wanted):
            yield {k: plain(v) for k, v in row.items()}

    def _span(self, record: Row) -> Span | None:
        row, m = record["row"], self._map

        def get(column: str | None) -> Any:
            return pick(row, column) if column else None

        start = nanos(get(m.start_time))
        if start is None:
            self.losses["rows_without_time"] += 1
            return None
        tool = get(m.tool_name)
        step_id = get(m.step_id)
        span = Span(
            trace_id=str(get(m.trace_id)),
            span_id=str(step_id) if step_id is not None else record["place"],
            start=start,
            end=nanos(get(m.end_time)) or start,
            kind=_KINDS.get(str(get(m.kind)).lower(), "tool" if tool else "llm"),
            name=str(get(m.name) or tool or ""),
            tool_name=str(tool) if tool else None,
            args=genai.text_of(get(m.tool_args)),
            result=_text(get(m.tool_result)),
            error_type=_text(get(m.error_type)),
            error_message=_text(get(m.error_message)),
            parent_id=_text(get(m.parent_id)),
            call_id=_text(get(m.tool_call_id)),
            system=_text(get(m.system_prompt)),
            model=_text(get(m.model)),
            prompt_name=_text(get(m.prompt_name)),
            prompt_version=_text(get(m.prompt_version)),
            tokens_in=genai.count_of(get(m.tokens_in)),
            tokens_out=genai.count_of(get(m.tokens_out)),
            cost_usd=genai.number(get(m.cost), self.losses),
            session_id=_text(get(m.session_id)),
            user_id=_text(get(m.user_id)),
            agent=_text(get(m.agent)),
            agent_version=_text(get(m.agent_version)),
            environment=_text(get(m.environment)),
            metadata={c: v for c in m.metadata if (v := pick(row, c)) is not None},
        )
        told = span.error_message is not None or span.error_type is not None
        span.failed = told or str(get(m.status)).lower() in _BAD
        span.messages = genai.said_of(get(m.input), self.losses, "user")
        span.output = genai.said_of(get(m.output), self.losses, "assistant")
        if span.kind == "llm" and not span.messages and not span.output:
            self.losses["llm_without_content"] += 1
        if m.outcome and get(m.outcome) is not None:
            span.scores = [Score(m.outcome, genai.number(get(m.outcome), self.losses), PROGRAM, span.end)]
        return span


def pick(row: Row, column: str) -> Any:
    """The value of a column, or of a dotted path into nested objects; None where there is none."""
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def nanos(value: Any) -> int | None:
    """Nanoseconds since 1970 of RFC 3339 text (UTC where it names no zone), or of a number in s, ms, us or ns."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
    else:
        try:
            number = float(value)
            factor = next(f for edge, f in _UNITS if number >= edge)
            return int(value) * factor if isinstance(value, int) else int(number * factor)
        except (TypeError, ValueError, OverflowError, StopIteration):
            return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND * 1_000


def _columns(mapping: Any) -> list[str]:
    values = [v for v in mapping.model_dump().values() if v]
    return [c for v in values for c in (v if isinstance(v, list) else [v])]


def plain(value: Any) -> Any:
    """Values that JSON has too, so that a row can go through the spool."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, (str, int, float, bool, dict, list, type(None))) else str(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None if value in (None, "") else genai.text_of(value)
