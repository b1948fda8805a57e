"""ClickHouse embedded (`chdb`), in a process of its own beside this one (`ninefold.analysis.process`).

Known of it: there is one engine a process, so every `Embedded` has its own database inside it; a left join fills what
is missing with 0 or '', not NULL. Tables go in as files of Arrow, in the process's own folder, and what statements give
comes back as Arrow over the pipe.
"""

from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import pyarrow as pa

from ninefold.analysis.engine import Row, columns_of, told
from ninefold.analysis.limits import Limits, limits
from ninefold.analysis.process import left, taken


class Embedded:
    """An `Engine` on this machine, within the limits of the pod."""

    def __init__(self, within: Limits | None = None) -> None:
        own = limits() if within is None else within
        self._process = taken(own)
        self._database = f"ninefold_{uuid4().hex}"
        try:
            self._process.ask(f"CREATE DATABASE {self._database}")
            self._process.ask(f"USE {self._database}")
            if settings := own.settings():
                self._process.ask("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))
        except BaseException:
            self._process.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:  # a statement may still be at work (Ctrl-C), or the process gone
            self._process.end()

    @property
    def pid(self) -> int:
        """Of the engine's process, whose memory is not this one's."""
        return self._process.pid

    def close(self) -> None:
        self._process.ask(f"DROP DATABASE {self._database}")
        left(self._process)

    def load(self, name: str, rows: pa.Table) -> None:
        path = Path(self._process.folder) / f"{name}.arrow"
        with told(f"load {name}"):
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
                writer.write_table(rows)
            columns = columns_of(rows.schema)
            self.derive(name, f"SELECT * FROM file('{path}', 'Arrow', '{columns}')")  # noqa: S608
            path.unlink()

    def derive(self, name: str, sql: str) -> None:
        with told(f"derive {name}"):
            self._process.ask(f"CREATE OR REPLACE TABLE {name} ENGINE = Memory AS {sql}")

    def create(self, name: str, columns: str) -> None:
        self._process.ask(f"CREATE TABLE {name} ({columns}) ENGINE = Memory")

    def append(self, name: str, sql: str) -> None:
        with told(f"append {name}"):
            self._process.ask(f"INSERT INTO {name} {sql}")

    def drop(self, name: str) -> None:
        self._process.ask(f"DROP TABLE IF EXISTS {name}")

    def arrow(self, sql: str) -> pa.Table:
        with told(sql):
            return pa.ipc.open_file(pa.py_buffer(self._process.ask(sql, "Arrow"))).read_all()

    def query(self, sql: str) -> list[Row]:
        rows: list[Row] = self.arrow(sql).to_pylist()
        return rows
