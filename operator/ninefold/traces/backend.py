"""What every trace backend can do: say what is there, and stream the traces of a window.

A backend knows nothing of agents, outcomes or buckets: `ninefold.traces.table.collect` filters and judges what it
streams, the same for all backends. `ninefold.traces.opening` says which one a spec names.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ninefold.api.tracebackend import Capabilities
from ninefold.traces.model import TraceRecord


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
