"""A look at what a backend holds, from its first traces."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ninefold.api.tracebackend import Capabilities
from ninefold.traces.backend import Backend, Window
from ninefold.traces.model import TraceRecord

PROBE_BYTES = 32 * 2**20
PROBE_ROWS = 20_000
"""Of lines, or of mapped rows, that a probe looks at: it runs often and only says what is there."""
PROBE_TRACES = 1_000
RECENT = (3600, 24 * 3600, 30 * 24 * 3600)
"""Traces that a probe takes from a server, and the seconds before now in which it looks, one after the other."""
_MALFORMED = (
    "malformed_lines", "malformed_records", "malformed_rows", "oversized_lines", "oversized_records",
    "unreadable_files", "truncated_files", "zip_bombs",
)  # fmt: skip


def capabilities(files: list[Path], records: Iterable[TraceRecord], losses: Counter[str]) -> Capabilities:
    """Names seen in these traces, most frequent first, cut to what a status may carry."""
    agents: Counter[str] = Counter()
    scores: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    traces = 0
    for record in records:
        traces += 1
        agents.update([record.agent] if record.agent else [])
        scores.update({s.name for s in record.scores})
        keys.update(list(record.metadata))
    return Capabilities(
        files=len(files),
        bytes=sum(p.stat().st_size for p in files),
        traces=traces,
        agents=most(agents, 50),
        scores=most(scores, 50),
        metadata_keys=most(keys, 100),
        malformed=sum(losses[name] for name in _MALFORMED),
    )


def recent(backend: Backend, spans: Sequence[int], now: int | None = None) -> Iterator[TraceRecord]:
    """The traces of the last of `spans` seconds that holds any, tried from the first: servers pay by the window."""
    end = (now if now is not None else time.time_ns()) + 60 * 10**9
    for seconds in spans:
        found = backend.read(Window(end - seconds * 10**9, end))
        first = next(found, None)
        if first is not None:
            yield first
            yield from islice(found, PROBE_TRACES - 1)
            return


def most(names: Counter[str], limit: int) -> list[str]:
    """The most frequent names, ties by name, each cut to 256 characters."""
    return [name[:256] for name, _ in sorted(names.items(), key=lambda kv: (-kv[1], kv[0]))[:limit]]
