"""A trace backend in forty lines: CSV files with the columns trace, time, tool, args, result, ok and score.

Spans are all that a backend has to make; `assemble` puts them in order, stores messages once and finds error
signatures, the same as for every other backend.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ninefold.api.tracebackend import Capabilities
from ninefold.traces import TracesProblem, Window
from ninefold.traces.assemble import assemble
from ninefold.traces.backend import within
from ninefold.traces.model import Score, Span, TraceRecord
from ninefold.traces.plugin import PluginContext
from ninefold.traces.probe import capabilities

Row = dict[str, str]


class CsvTraces:
    """See `ninefold.traces.backend.Backend` for what each method promises."""

    def __init__(self, path: Path) -> None:
        self.losses: Counter[str] = Counter()
        self._path = path

    def probe(self) -> Capabilities:
        return capabilities([self._path], self._traces(), self.losses)

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from within(window, self._traces(), self.losses)

    def _traces(self) -> Iterator[TraceRecord]:
        try:
            with self._path.open(newline="", encoding="utf-8", errors="replace") as file:
                for _, rows in groupby(csv.DictReader(file), key=lambda row: row["trace"]):
                    if spans := [s for n, row in enumerate(rows) if (s := self._span(row, n))]:
                        yield assemble(spans, self.losses)
        except FileNotFoundError:
            raise TracesProblem("NoFiles", f"the volume has no {self._path.name}: set config.path") from None

    def _span(self, row: Row, n: int) -> Span | None:
        try:
            start = int(float(row["time"]) * 1e9)
        except (ValueError, OverflowError):
            self.losses["rows_without_time"] += 1
            return None
        span = Span(row["trace"], f"{row['trace']}-{n}", start, start, kind="tool", name=row["tool"])
        span.tool_name, span.args, span.result = row["tool"], row["args"], row["result"]
        span.failed = row["ok"] == "no"
        if row["score"]:
            span.scores = [Score("score", float(row["score"]), "csv", start)]
        return span


def open_csv(context: PluginContext) -> CsvTraces:
    """The entry point: `config.path` names the file in the volume."""
    if context.root is None:
        raise TracesProblem("TracesNotMounted", "write the volume with the CSV file as spec.plugin.volume")
    return CsvTraces(context.root / Path(context.config.get("path", "traces.csv")).name)
