"""The engine boundary: tables go in, one dialect of SQL is asked, Arrow comes out.

Here the engine is ClickHouse embedded in this process (`chdb`). The same statements (`ninefold.analysis.queries`)
run on a ClickHouse server, so nothing outside this module may know which one it is.

Known of the embedded engine: there is one per process, so every `Engine` uses its own database inside it; a forked
child hangs; a left join fills what is missing with 0 or '', not NULL.
"""

import uuid
from types import TracebackType

import pyarrow as pa
from chdb import session


class Engine:
    """A database of its own for one analysis; a context manager that drops it at the end."""

    def __init__(self) -> None:
        self._session = session.Session()
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
        self._session.query(
            f"CREATE OR REPLACE TABLE {self._database}.{name} ENGINE = Memory AS SELECT * FROM Python(rows)"
        )

    def query(self, sql: str) -> list[dict[str, object]]:
        """Rows of a statement over the loaded tables."""
        self._session.query(f"USE {self._database}")
        result: list[dict[str, object]] = self._session.query(sql, "ArrowTable").to_pylist()
        return result
