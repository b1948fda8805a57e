"""The `otlp` backend: files of the OpenTelemetry collector, JSON or protobuf, on a volume or in an object store.

The spans of one trace may stand in any record of any file. `ninefold.traces.stored` finds the records, `otlp_json` and
`otlp_proto` read one, and `ninefold.traces.otel` makes traces of them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ninefold.api.tracebackend import Capabilities, OtlpSource
from ninefold.traces import otlp_json, otlp_proto
from ninefold.traces.backend import TracesProblem, Window
from ninefold.traces.model import TraceRecord
from ninefold.traces.objectstore import objects
from ninefold.traces.otel import Flat, traces_of
from ninefold.traces.paths import decode, find_files
from ninefold.traces.probe import capabilities
from ninefold.traces.stored import Stored, is_json, on_volume, records, within

_PACKED = 12
"""Messages repeat the whole history, so exported traces shrink about this much when they are compressed."""


class OtlpFiles:
    """The `otlp` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, source: OtlpSource, root: Path | None, secrets: Mapping[str, str]) -> None:
        self.losses: Counter[str] = Counter()
        self._source, self._root, self._secrets = source, root, secrets

    def probe(self) -> Capabilities:
        files = self._files()
        found = capabilities([], self._records(files), self.losses)
        return found.model_copy(update={"files": len(files), "bytes": sum(f.size for f in files)})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from self._records(within(self._files(), window, self.losses), window)

    def _files(self) -> list[Stored]:
        if self._source.object_store is not None:
            return objects(self._source.object_store, self._source.path, self._secrets)
        if self._root is None:
            raise TracesProblem("TracesNotMounted", "the volume of the TraceBackend is not mounted in the pod")
        root = self._root.resolve()
        return on_volume(find_files(root, self._source.path, self.losses), root)

    def _records(self, files: list[Stored], window: Window | None = None) -> Iterator[TraceRecord]:
        size = sum(f.size * (_PACKED if f.name.endswith((".gz", ".zst", ".zstd")) else 1) for f in files)
        yield from traces_of(flats_in(files, self.losses), size, self.losses, window)


def flats_in(files: Iterable[Stored], losses: Counter[str]) -> Iterator[Flat]:
    """All spans of the files. What is no OTLP counts as `malformed_lines` (JSON) or `malformed_records`."""
    for file in files:
        for record in records(file, losses):
            found = _json(record, losses) if is_json(record) else _proto(record, losses)
            yield from found


def _json(record: bytes, losses: Counter[str]) -> list[Flat]:
    try:
        return list(otlp_json.flats_of(json.loads(decode(record, losses)), losses))
    except (ValueError, TypeError, AttributeError, RecursionError):
        losses["malformed_lines"] += 1
        return []


def _proto(record: bytes, losses: Counter[str]) -> list[Flat]:
    try:
        return list(otlp_proto.flats_of(record, losses))
    except ValueError:
        losses["malformed_lines" if record.isascii() else "malformed_records"] += 1
        return []
