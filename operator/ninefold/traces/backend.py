"""What every trace backend can do: say what is there, and stream the traces of a window.

A backend is opened from its spec and a root folder (the mounted volume of file backends). It knows nothing of agents,
outcomes or buckets: `ninefold.traces.table.collect` filters and judges what it streams, the same for all backends.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ninefold.api.tracebackend import Capabilities, TraceBackendSpec
from ninefold.traces.model import TraceRecord
from ninefold.traces.problem import TracesProblem


@dataclass(frozen=True)
class Window:
    """Traces that started at `start` or later, and before `end`; nanoseconds since 1970."""

    start: int
    end: int

    @classmethod
    def of(cls, start: str, end: str) -> "Window":
        """A window from two RFC 3339 times, as the inputs of a run carry them."""
        return cls(*(int(datetime.fromisoformat(t).timestamp() * 1e9) for t in (start, end)))

    def holds(self, moment: int) -> bool:
        return self.start <= moment < self.end


def within(window: Window, records: Iterable[TraceRecord], losses: Counter[str]) -> Iterator[TraceRecord]:
    """The traces of a window; the others count as `outside_window`."""
    for record in records:
        if window.holds(record.start_ts):
            yield record
        else:
            losses["outside_window"] += 1


class Backend(Protocol):
    """A source of traces.

    Content never raises: what cannot be read is left out and counted in `losses` under a name (`malformed_lines`,
    `orphan_spans`, ...). What a user must mend (a missing folder, a wrong credential) raises `TracesProblem`.
    """

    losses: Counter[str]

    def probe(self) -> Capabilities:
        """What is there, from a bounded part of it."""
        ...

    def read(self, window: Window) -> Iterator[TraceRecord]:
        """Every trace of the window once, whole, its steps in order. Memory is bounded by a part of the input."""
        ...


def open_backend(spec: TraceBackendSpec, root: Path | None, secrets: Mapping[str, str] | None = None) -> Backend:
    """The backend that a spec names, over the volume mounted at `root`, with the credentials in `secrets`.

    Its traces come cleaned as `spec.privacy` says, whatever the backend (`ninefold.traces.private`).
    `secrets` are the environment variables that the Job was given by reference; absent, those of this process.
    """
    # Imported here because the backends implement this module's protocol, and to load no HTTP client for files.
    from ninefold.traces.private import Private  # noqa: PLC0415

    given = os.environ if secrets is None else secrets
    return Private(_open(spec, root, given), spec.privacy, given)


def _open(spec: TraceBackendSpec, root: Path | None, given: Mapping[str, str]) -> Backend:
    if spec.langfuse is not None and spec.langfuse.export is None:
        from ninefold.traces.langfuse import LangfuseApi  # noqa: PLC0415

        return LangfuseApi(spec.langfuse, given)
    if spec.otlp is not None:
        from ninefold.traces.otlp import OtlpFiles  # noqa: PLC0415

        return OtlpFiles(spec.otlp, root, given)
    if spec.plugin is not None:
        from ninefold.traces.plugin import open_plugin  # noqa: PLC0415

        return open_plugin(spec.plugin, root, given)
    return _open_server(spec, given) or _open_files(spec, root)


def _open_server(spec: TraceBackendSpec, secrets: Mapping[str, str]) -> Backend | None:
    if spec.clickhouse is not None:
        from ninefold.traces.clickhouse import ClickHouse  # noqa: PLC0415

        return ClickHouse(spec.clickhouse, secrets)
    if spec.tempo is not None:
        from ninefold.traces.tempo import Tempo  # noqa: PLC0415

        return Tempo(spec.tempo, secrets)
    if spec.jaeger is not None:
        from ninefold.traces.jaeger import Jaeger  # noqa: PLC0415

        return Jaeger(spec.jaeger, secrets)
    return None


def _open_files(spec: TraceBackendSpec, root: Path | None) -> Backend:
    from ninefold.traces.files import MappedFiles  # noqa: PLC0415
    from ninefold.traces.langfuse import LangfuseFiles  # noqa: PLC0415

    if root is None:
        raise TracesProblem("TracesNotMounted", "the volume of the TraceBackend is not mounted in the pod")
    if spec.langfuse is not None and spec.langfuse.export is not None:
        return LangfuseFiles(spec.langfuse, root)
    if spec.files is not None:
        return MappedFiles(spec.files, root)
    raise TracesProblem("NoBackend", "the TraceBackend names no source: write one in its spec, such as otlp")
