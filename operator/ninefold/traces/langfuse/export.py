"""Langfuse's scheduled blob-storage export as a trace backend: Parquet or JSON lines, with a manifest a run.

A run writes a file for each table (`observations_v2/`, `scores/`; of older projects `observations/` and `traces/`)
and last its manifest, which lists them: what no manifest lists is not complete and is left alone. Windows of two runs
touch, and both bounds are included, so a row may come twice: the one updated last counts. A later run may also bring
back an observation that has changed since.

Source: langfuse/langfuse, `worker/src/features/blobstorage/` (manifest version 1), and the "Blob storage export field
reference" of its documentation: column names in snake case, absent text as empty text, times in UTC without a zone.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from ninefold.api.tracebackend import Capabilities, LangfuseSource
from ninefold.traces import parquet
from ninefold.traces.backend import Window
from ninefold.traces.files import nanos, plain
from ninefold.traces.langfuse.backend import trace_of
from ninefold.traces.langfuse.reads import OVERLAP
from ninefold.traces.langfuse.rows import Row
from ninefold.traces.model import TraceRecord
from ninefold.traces.objects import Object
from ninefold.traces.paths import find_files, json_objects
from ninefold.traces.probe import PROBE_BYTES, capabilities
from ninefold.traces.problem import TracesProblem
from ninefold.traces.spool import Record, by_trace

MANIFEST_VERSION = 1
TABLES = {"observations_v2": "observation", "observations": "observation", "traces": "trace", "scores": "score"}
"""Folder to kind of row."""
_FORMATS = {"parquet": (".parquet",), "jsonl": (".jsonl", ".jsonl.gz")}
_SLACK = int(OVERLAP.total_seconds() * 1e9)
_EXPANSION = 8
"""Compressed columns and lines take about this much more as rows."""


@dataclass(frozen=True)
class ExportFile:
    """One file of a completed run, and the times that its rows may have."""

    path: Path
    table: str
    start: int
    end: int


class LangfuseFiles:
    """The `langfuse` backend with an export (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, source: LangfuseSource, root: Path) -> None:
        assert source.export is not None
        self.losses: Counter[str] = Counter()
        self._export, self._environment, self._root = source.export, source.environment, root

    def probe(self) -> Capabilities:
        """Counts all files, and looks into the newest of them."""
        files = self._files()
        newest, size = list[ExportFile](), 0
        for file in sorted(files, key=lambda f: f.end, reverse=True):
            if newest and file.end != newest[-1].end and size > PROBE_BYTES:
                break  # after a whole run, so that its traces come with their scores
            newest.append(file)
            size += file.path.stat().st_size
        found = capabilities([f.path for f in files], self._records(newest, None), self.losses)
        return found.model_copy(update={"api": f"Langfuse export, {self._export.format}"})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        """Only of files whose run may hold rows of the window's traces; scores may come at any later time."""
        yield from self._records(self._of_time(window), window)

    def _of_time(self, window: Window) -> list[ExportFile]:
        return [
            f
            for f in self._files()
            if f.end >= window.start - _SLACK and (f.table == "scores" or f.start < window.end + _SLACK)
        ]

    def _records(self, files: list[ExportFile], window: Window | None) -> Iterator[TraceRecord]:
        size = sum(f.path.stat().st_size for f in files) * _EXPANSION
        yield from self._assembled(by_trace(self._rows(files), size, self.losses), window)

    def _assembled(self, groups: Iterable[list[Row]], window: Window | None) -> Iterator[TraceRecord]:
        for group in groups:
            listed = any("trace" in row for row in group)
            if (record := trace_of(group, self.losses, window, listed=listed)) is not None:
                yield record

    # ------------------------------------------------------------ object by object, see `ninefold.traces.objects`

    def objects(self, window: Window) -> list[Object]:
        found = [(f, f.path.stat()) for f in self._of_time(window)]
        root = self._root.resolve()
        return [Object(f.path.relative_to(root).as_posix(), s.st_size, s.st_mtime_ns, f) for f, s in found]

    def rows(self, one: Object) -> Iterator[tuple[str, Record]]:
        yield from self._rows([one.handle])

    def moment(self, row: Record) -> int | None:
        if "observation" in row:
            return nanos(row["observation"].get("startTime"))
        return nanos(row["trace"].get("timestamp")) if "trace" in row else None

    def traces(self, groups: Iterable[list[Record]]) -> Iterator[TraceRecord]:
        yield from self._assembled(groups, None)

    # ------------------------------------------------------------ manifests

    def _files(self) -> list[ExportFile]:
        found: dict[Path, ExportFile] = {}
        everything = find_files(self._root, self._export.path, self.losses)
        manifests = [p for p in everything if p.parent.name == "manifests" and p.suffix == ".json"]
        for manifest in manifests:
            found |= {f.path: f for f in self._listed(manifest)}
        if not found:
            raise TracesProblem(
                "NoCompletedExport",
                f"no completed run of a Langfuse export lies below {self._export.path or 'the root'} of the volume: "
                f"there must be a folder manifests beside observations_v2 and scores, and files of the format "
                f"{self._export.format}; a run counts once its manifest is written",
            )
        tables = {p for p in everything if p.parent.name in TABLES}
        self.losses["uncommitted_files"] += len(tables - set(found))
        return sorted(found.values(), key=lambda f: (f.start, str(f.path)))

    def _listed(self, manifest: Path) -> Iterator[ExportFile]:
        """The files of one run, which lie beside the folder of its manifest whatever the bucket's prefix is called."""
        try:
            run = json.loads(manifest.read_bytes())
            bounds = nanos(run["window"]["minTimestamp"]), nanos(run["window"]["maxTimestamp"])
            keys = [str(file["key"]) for file in run["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            self.losses["malformed_manifests"] += 1
            return
        if run.get("version") != MANIFEST_VERSION or bounds[0] is None or bounds[1] is None:
            self.losses["unknown_manifests"] += 1
            return
        tables = {key.split("/")[-2] for key in keys if "/" in key}
        for key in keys:
            table, name = ("", *key.split("/"))[-2:]
            # A project in transition exports its observations twice; those of version 4 say more.
            if table not in TABLES or (table in ("observations", "traces") and "observations_v2" in tables):
                continue
            path = manifest.parent.parent / table / name
            if not name.endswith(_FORMATS[self._export.format]):
                self.losses["other_format_files"] += 1
            elif not path.is_file() or not path.resolve().is_relative_to(self._root.resolve()):
                self.losses["missing_files"] += 1
            else:
                yield ExportFile(path.resolve(), table, bounds[0], bounds[1])

    # ------------------------------------------------------------ rows

    def _rows(self, files: list[ExportFile]) -> Iterator[tuple[str, Row]]:
        for file in files:
            kind = TABLES[file.table]
            columns = self._export.format == "parquet"
            for raw in self._parquet(file.path) if columns else json_objects(file.path, self.losses):
                row = {to_camel(key): value for key, value in raw.items()}
                trace_id = row.get("id" if kind == "trace" else "traceId")
                if not trace_id:
                    self.losses[f"{kind}s_without_trace"] += 1
                elif kind == "observation" and self._environment not in (None, row.get("environment")):
                    self.losses["other_environment"] += 1
                else:
                    yield str(trace_id), {kind: row}

    def _parquet(self, path: Path) -> Iterator[Row]:
        for row in parquet.rows(path, self.losses):
            yield {k: _value(v) for k, v in row.items()}


def _value(value: Any) -> Any:
    """A value that JSON has too. A Parquet map comes as its pairs and stays so: `rows.mapping` reads both."""
    return (
        [list(pair) for pair in value]
        if value and isinstance(value, list) and isinstance(value[0], tuple)
        else plain(value)
    )
