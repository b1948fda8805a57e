"""The `otlp` backend: files of the OpenTelemetry collector, JSON or protobuf, on a volume or in an object store.

The spans of one trace may stand in any record of any file. `ninefold.traces.stored` finds the records, `otlp_json` and
`otlp_proto` read one, and `ninefold.traces.otel` makes traces of them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from ninefold.api.tracebackend import Capabilities, OtlpSource
from ninefold.traces import otlp_json, otlp_proto
from ninefold.traces.backend import Window, within
from ninefold.traces.model import TraceRecord
from ninefold.traces.objects import Object
from ninefold.traces.objectstore import objects
from ninefold.traces.otel import Flat, trace_of, traces_of
from ninefold.traces.paths import loaded, require_files
from ninefold.traces.probe import PROBE_BYTES, capabilities
from ninefold.traces.problem import TracesProblem
from ninefold.traces.spool import Record
from ninefold.traces.stored import Stored, is_json, of_time, on_volume, records

_PACKED = 12
"""Messages repeat the whole history, so exported traces shrink about this much when they are compressed."""


class OtlpFiles:
    """The `otlp` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, source: OtlpSource, root: Path | None, secrets: Mapping[str, str]) -> None:
        self.losses: Counter[str] = Counter()
        self._source, self._root, self._secrets = source, root, secrets

    def probe(self) -> Capabilities:
        files = self._files()
        found = capabilities([], traces_of(flats_in(files, self.losses, PROBE_BYTES), 0, self.losses), self.losses)
        return found.model_copy(update={"files": len(files), "bytes": sum(f.size for f in files)})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        files = of_time(self._files(), window, self.losses)
        size = sum(f.size * (_PACKED if f.name.endswith((".gz", ".zst", ".zstd")) else 1) for f in files)
        yield from within(window, traces_of(flats_in(files, self.losses), size, self.losses), self.losses)

    # ------------------------------------------------------------ object by object, see `ninefold.traces.objects`

    def objects(self, window: Window) -> list[Object]:
        files = of_time(self._files(), window, self.losses)
        return [Object(f.name, f.size, f.changed, f) for f in files]

    def rows(self, one: Object) -> Iterator[tuple[str, Record]]:
        for flat in flats_in([one.handle], self.losses):
            yield flat["trace_id"], cast(Record, flat)

    def moment(self, row: Record) -> int:
        return int(row["start"] or row["end"])

    def traces(self, groups: Iterable[list[Record]]) -> Iterator[TraceRecord]:
        for group in groups:
            yield trace_of(cast(list[Flat], group), self.losses)

    def _files(self) -> list[Stored]:
        if self._source.object_store is not None:
            return objects(self._source.object_store, self._source.path, self._secrets)
        if self._root is None:
            raise TracesProblem("TracesNotMounted", "the volume of the TraceBackend is not mounted in the pod")
        root = self._root.resolve()
        return on_volume(require_files(root, self._source.path, self.losses), root)


def flats_in(files: Iterable[Stored], losses: Counter[str], most: float = math.inf) -> Iterator[Flat]:
    """The spans of the files, of at most so many bytes of records.

    What is no OTLP counts as `malformed_lines` (text) or `malformed_records`.
    """
    for file in files:
        for record in records(file, losses):
            if (most := most - len(record)) < 0:
                return
            found = _json(record, losses) if is_json(record) else _proto(record, losses)
            yield from found


def _json(record: bytes, losses: Counter[str]) -> list[Flat]:
    try:
        return list(otlp_json.flats_of(loaded(record, losses), losses))
    except (ValueError, TypeError, AttributeError, RecursionError):
        losses["malformed_lines"] += 1
        return []


def _proto(record: bytes, losses: Counter[str]) -> list[Flat]:
    try:
        return list(otlp_proto.flats_of(record, losses))
    except ValueError:
        losses["malformed_lines" if record.isascii() else "malformed_records"] += 1
        return []
