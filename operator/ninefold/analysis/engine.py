"""The engine boundary: tables go in, one dialect of SQL is asked, Arrow comes out.

The dialect is ClickHouse's, and it has two homes: a process beside this one (`ninefold.analysis.embedded`), and a
server (`ninefold.analysis.server`). No statement knows which one it runs on, and the results are the same.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator
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
    """What an engine says when it cannot answer. `reason`: `OutOfMemory`, `EngineDied` or `EngineFailed`."""

    def __init__(self, said: str, reason: str = "EngineFailed") -> None:
        super().__init__(said)
        self.reason = reason


_TOO_LITTLE = "give the Job's pod more (spec.jobs.resources.limits), or shorten spec.traces.window of the policy"


def refused(said: str) -> EngineError:
    """An engine's own words as an error of ours: its name alone, for the text quotes data."""
    if "MEMORY_LIMIT_EXCEEDED" in said or "memory limit exceeded" in said:
        return EngineError(f"the engine has too little memory for this analysis: {_TOO_LITTLE}", "OutOfMemory")
    name = next((word.strip("().,") for word in reversed(said.split()) if word.strip("().,").isupper()), "")
    return EngineError(f"the engine refused a statement ({name or 'it does not say why'})")


def died(of: int) -> EngineError:
    """The embedded engine's process is gone. `of`: the signal that ended it, 0 for none."""
    if of == signal.SIGKILL:
        # Nobody else kills it: whoever asks ends it by its pipe.
        said = "the engine was killed in the middle of a statement, as the kernel does when memory runs out"
        return EngineError(f"{said}: {_TOO_LITTLE}", "OutOfMemory")
    how = f"signal {of}" if of else "without a signal"
    return EngineError(
        f"the engine ended in the middle of a statement ({how}): run it again, and report it if it does so again",
        "EngineDied",
    )


_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "UInt8"),
    (pa.types.is_uint8, "UInt8"),
    (pa.types.is_uint16, "UInt16"),
    (pa.types.is_uint32, "UInt32"),
    (pa.types.is_uint64, "UInt64"),
    (pa.types.is_int32, "Int32"),
    (pa.types.is_int64, "Int64"),
    (pa.types.is_string, "String"),
)


def columns_of(schema: pa.Schema) -> str:
    """A table's columns in the dialect, the same in both homes. All may be NULL but lists; truth is 0 or 1."""
    return ", ".join(f"`{f.name}` {_column(f.type)}" for f in schema)


def _column(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"Array({_plain(kind.value_type)})"
    return f"Nullable({_plain(kind)})"


def _plain(kind: pa.DataType) -> str:
    return next(name for fits, name in _TYPES if fits(kind))


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
