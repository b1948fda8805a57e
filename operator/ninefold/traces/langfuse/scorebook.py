"""Scores that were read once, for all slices of a window.

A score comes at any time after its trace and the API names no later bound that would be safe, so asking for the scores
of each slice would ask for nearly all scores again and again. They are read once, from the first slice on, into a
database of this process that spills to disk, and taken from there by the traces that they are about.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator

from ninefold.traces.backend import Window
from ninefold.traces.langfuse.rows import Row

Keyed = Iterator[tuple[str, Row]]
_BATCH = 1_000


class ScoreBook:
    """All scores since the start of the first window that was asked for."""

    def __init__(self, read: Callable[[Window], Keyed]) -> None:
        self._read = read
        self._since: int | None = None
        # No name: a private file that goes with the connection. Slices may be read in one thread after another.
        self._rows = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._rows.execute("CREATE TABLE score (trace TEXT, row TEXT)")

    def of(self, traces: Iterable[str], window: Window) -> Keyed:
        """The scores of these traces, which started in the window or shortly before it."""
        if self._since is None or window.start < self._since:
            self._fill(window)
        for trace in sorted(traces):
            for (row,) in self._rows.execute("SELECT row FROM score WHERE trace = ? ORDER BY rowid", (trace,)):
                yield trace, json.loads(row)

    def _fill(self, window: Window) -> None:
        self._rows.execute("DROP INDEX IF EXISTS by_trace")
        self._rows.execute("DELETE FROM score")
        batch: list[tuple[str, str]] = []
        self._rows.execute("BEGIN")
        for trace, row in self._read(window):
            batch.append((trace, json.dumps(row)))
            if len(batch) == _BATCH:
                self._rows.executemany("INSERT INTO score VALUES (?, ?)", batch)
                batch.clear()
        self._rows.executemany("INSERT INTO score VALUES (?, ?)", batch)
        self._rows.execute("COMMIT")
        self._rows.execute("CREATE INDEX by_trace ON score (trace)")
        self._since = window.start
