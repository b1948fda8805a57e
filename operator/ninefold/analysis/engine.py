"""The engine boundary: tables go in, one dialect of SQL is asked, Arrow comes out.

Here the engine is ClickHouse embedded in this process (`chdb`). The same statements (`ninefold.analysis.queries`)
run on a ClickHouse server, so nothing outside this module may know which one it is.

Known of the embedded engine: there is one per process, so every `Engine` uses its own database inside it; a forked
child hangs; a left join fills what is missing with 0 or '', not NULL.
"""

import uuid
from types import TracebackType
from typing import Any

import pyarrow as pa
from chdb import session

Row = dict[str, Any]
_open: Any = session.Session
"""The engine ships no types."""


class Engine:
    """A database of its own for one analysis; a context manager that drops it at the end."""

    def __init__(self) -> None:
        self._session = _open()
        self._database = f"ninefold_{uuid.uuid4().hex}"
        self._session.query(f"CREATE DATABASE {self._database}")

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.query(f"DROP DATABASE {self._database}")
        self._session.close()

    def load(self, name: str, rows: pa.Table) -> None:
        """Make a table of these rows; a later one of the same name replaces it."""
        # The engine finds `rows` by its name in this frame.
        table = f"{self._database}.{name}"
        self._session.query(f"CREATE OR REPLACE TABLE {table} ENGINE = Memory AS SELECT * FROM Python(rows)")  # noqa: S608

    def derive(self, name: str, sql: str) -> None:
        """Make a table of what a statement gives, for several others to read."""
        self._session.query(f"USE {self._database}")
        self._session.query(f"CREATE OR REPLACE TABLE {name} ENGINE = Memory AS {sql}")

    def create(self, name: str, columns: str) -> None:
        """Make an empty table that others are appended to."""
        self._session.query(f"CREATE TABLE {self._database}.{name} ({columns}) ENGINE = Memory")

    def append(self, name: str, sql: str) -> None:
        """Add what a statement gives to a table."""
        self._session.query(f"USE {self._database}")
        self._session.query(f"INSERT INTO {name} {sql}")

    def drop(self, name: str) -> None:
        """Forget a table."""
        self._session.query(f"DROP TABLE IF EXISTS {self._database}.{name}")

    def arrow(self, sql: str) -> pa.Table:
        """What a statement gives, as Arrow: for results with a row a trace."""
        self._session.query(f"USE {self._database}")
        return self._session.query(sql, "ArrowTable")

    def query(self, sql: str) -> list[Row]:
        """Rows of a statement over the loaded tables."""
        self._session.query(f"USE {self._database}")
        result: list[Row] = self._session.query(sql, "ArrowTable").to_pylist()
        return result
