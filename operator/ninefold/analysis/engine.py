"""The engine boundary: tables go in, one dialect of SQL is asked, Arrow comes out.

The dialect is ClickHouse's, and it has two homes: embedded in this process (`ninefold.analysis.embedded`), and a server
(`ninefold.analysis.server`). No statement knows which one it runs on, and the results are the same.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa

log = logging.getLogger(__name__)

Row = dict[str, Any]
SLOW = 1.0
"""Seconds from which a statement is told in the log as it ends; quicker ones only to who debugs."""


class Engine(Protocol):
    """A database of its own for one analysis; a context manager that drops it at the end.

    Names of tables are ours and never a user's words. Statements may fail with an `EngineError` alone.
    """

    def load(self, name: str, rows: pa.Table) -> None:
        """Make a table of these rows; a later one of the same name replaces it."""

    def derive(self, name: str, sql: str) -> None:
        """Make a table of what a statement gives, for several others to read."""

    def create(self, name: str, columns: str) -> None:
        """Make an empty table that others are appended to."""

    def append(self, name: str, sql: str) -> None:
        """Add what a statement gives to a table."""

    def drop(self, name: str) -> None:
        """Forget a table."""

    def arrow(self, sql: str) -> pa.Table:
        """What a statement gives, as Arrow: for results with a row a trace."""

    def query(self, sql: str) -> list[Row]:
        """Rows of a statement over the loaded tables."""

    def close(self) -> None:
        """Drop everything and leave."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class EngineError(RuntimeError):
    """What an engine says when it cannot answer. `memory`: it had too little of it."""

    def __init__(self, said: str, *, memory: bool = False) -> None:
        super().__init__(said)
        self.memory = memory


def refused(error: Exception) -> EngineError:
    """An engine's own error as ours: its name alone, for the text quotes data."""
    said = str(error)
    memory = "MEMORY_LIMIT_EXCEEDED" in said or "memory limit exceeded" in said
    if memory:
        return EngineError(
            "the engine has too little memory for this analysis: give the Job's pod more (spec.jobs.resources.limits), "
            "or shorten spec.traces.window of the policy",
            memory=True,
        )
    name = next((word.strip("().,") for word in reversed(said.split()) if word.strip("().,").isupper()), "")
    return EngineError(f"the engine refused a statement ({name or type(error).__name__})")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell the log how long a statement took. `what`: a name of ours, or the statement's own first comment."""
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    level = logging.INFO if seconds >= SLOW else logging.DEBUG
    log.log(level, "engine: %s", subject(what), extra={"seconds": round(seconds, 3)})


def subject(sql: str) -> str:
    """What a statement is about: its first comment, or its first words. Ours alone; values of users come later."""
    line = next((part.strip() for part in sql.splitlines() if part.strip()), "")
    return line.removeprefix("-- ")[:80]
