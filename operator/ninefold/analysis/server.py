"""A ClickHouse server as the engine, through `clickhouse-connect`: for what outgrows one pod.

Each analysis has a database of its own there, which is dropped at its end. What a pod that died has left is dropped by
the next one that opens, a day later. Tables are MergeTrees, so they lie on the server's disks and not in its memory.
The address must be that of one server, or of a balancer that keeps a session with one.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ninefold.analysis.engine import EngineError, Row, columns_of, refused, told

_PREFIX = "ninefold_"
_STAMP = "%Y%m%d%H%M%S"
LEFT_OVER = timedelta(days=1)
"""Age from which a database of ours belongs to a pod that died. No Job may take so long."""


class Server:
    """An `Engine` on a server. Raises EngineError when it cannot be reached, or does not let one in."""

    def __init__(self, url: str, username: str, password: str, **options: Any) -> None:
        where = urlsplit(url)
        secure = where.scheme == "https"
        self._client: Client = _asked(
            lambda: clickhouse_connect.get_client(
                host=where.hostname or "",
                port=where.port or (8443 if secure else 8123),
                secure=secure,
                username=username,
                password=password,
                autogenerate_session_id=False,
                settings=options or None,
            )
        )
        self._sweep()
        self._database = f"{_PREFIX}{datetime.now(UTC).strftime(_STAMP)}_{uuid.uuid4().hex}"
        self._command(f"CREATE DATABASE {self._database}")
        self._client.database = self._database

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._command(f"DROP DATABASE IF EXISTS {self._database}")
        self._client.close()

    def load(self, name: str, rows: pa.Table) -> None:
        with told(f"load {name}"):
            self.drop(name)
            self.create(name, columns_of(rows.schema))
            if rows.num_rows:
                _asked(lambda: self._client.insert_arrow(name, _plain(rows)))

    def derive(self, name: str, sql: str) -> None:
        with told(f"derive {name}"):
            self.drop(name)
            self._command(f"CREATE TABLE {name} ENGINE = MergeTree ORDER BY tuple() AS {sql}")

    def create(self, name: str, columns: str) -> None:
        self._command(f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()")

    def append(self, name: str, sql: str) -> None:
        with told(f"append {name}"):
            self._command(f"INSERT INTO {name} {sql}")

    def drop(self, name: str) -> None:
        self._command(f"DROP TABLE IF EXISTS {name}")

    def arrow(self, sql: str) -> pa.Table:
        with told(sql):
            return _asked(lambda: self._client.query_arrow(sql, use_strings=True))

    def query(self, sql: str) -> list[Row]:
        rows: list[Row] = self.arrow(sql).to_pylist()
        return rows

    def _command(self, sql: str) -> None:
        _asked(lambda: self._client.command(sql))

    def _sweep(self) -> None:
        """Drop what pods that died have left."""
        found = self.query(f"SELECT name FROM system.databases WHERE startsWith(name, '{_PREFIX}') ORDER BY name")  # noqa: S608
        oldest = (datetime.now(UTC) - LEFT_OVER).strftime(_STAMP)
        for row in found:
            stamp = str(row["name"]).removeprefix(_PREFIX).partition("_")[0]
            if stamp.isdigit() and len(stamp) == len(oldest) and stamp < oldest:
                self._command(f"DROP DATABASE IF EXISTS `{row['name']}`")


def _plain(rows: pa.Table) -> pa.Table:
    """Truth as 0 and 1, which is what it is in the dialect."""
    kinds = [pa.uint8() if pa.types.is_boolean(f.type) else f.type for f in rows.schema]
    return rows.cast(pa.schema([(f.name, k) for f, k in zip(rows.schema, kinds, strict=True)]))


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClickHouseError as error:
        raise refused(str(error)) from None
    except OSError as error:
        raise EngineError(f"the ClickHouse server of spec.analysis.engine cannot be reached ({type(error).__name__})") \
            from None  # fmt: skip
