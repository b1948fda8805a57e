"""ClickHouse in this process (`chdb`).

Known of it: there is one per process, so every `Embedded` uses its own database inside it; a forked child hangs; a left
join fills what is missing with 0 or '', not NULL. A statement cannot be stopped from outside, and a signal is only seen
when it returns: so statements run in a thread of their own, and who waits for one can be interrupted. Then the process
ends with the statement in it, and nothing is cleaned up: its files lie in the pod's scratch space.
"""

import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa
from chdb import session

from ninefold.analysis.engine import EngineError, Row, refused, told
from ninefold.analysis.limits import Limits, limits

Answer = TypeVar("Answer")
_open: Any = session.Session
"""The engine ships no types."""


class Embedded:
    """An `Engine` in this process, within the limits of the pod."""

    def __init__(self, within: Limits | None = None) -> None:
        own = limits() if within is None else within
        self._folder = tempfile.mkdtemp(prefix="ninefold-engine-")
        whole = f"?max_server_memory_usage={own.memory}" if own.memory is not None else ""
        self._session = _open(f"{self._folder}{whole}")
        self._database = f"ninefold_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {self._database}")
        self._run(f"USE {self._database}")
        if settings := own.settings():
            self._run("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Interrupted: the engine is still at work, and would have to be waited for.
        if error is None or isinstance(error, Exception):
            self.close()

    def close(self) -> None:
        self._run(f"DROP DATABASE {self._database}")
        self._session.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def load(self, name: str, rows: pa.Table) -> None:
        def create() -> None:
            # The engine finds `rows` by its name in this frame.
            frame = rows
            self._session.query(f"CREATE OR REPLACE TABLE {name} ENGINE = Memory AS SELECT * FROM Python(frame)")  # noqa: S608
            del frame

        with told(f"load {name}"):
            _in_thread(create)

    def derive(self, name: str, sql: str) -> None:
        with told(f"derive {name}"):
            self._run(f"CREATE OR REPLACE TABLE {name} ENGINE = Memory AS {sql}")

    def create(self, name: str, columns: str) -> None:
        self._run(f"CREATE TABLE {name} ({columns}) ENGINE = Memory")

    def append(self, name: str, sql: str) -> None:
        with told(f"append {name}"):
            self._run(f"INSERT INTO {name} {sql}")

    def drop(self, name: str) -> None:
        self._run(f"DROP TABLE IF EXISTS {name}")

    def arrow(self, sql: str) -> pa.Table:
        with told(sql):
            return _in_thread(lambda: self._session.query(sql, "ArrowTable"))

    def query(self, sql: str) -> list[Row]:
        rows: list[Row] = self.arrow(sql).to_pylist()
        return rows

    def _run(self, sql: str) -> None:
        _in_thread(lambda: self._session.query(sql))


def _in_thread(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; unlike it, waiting for it ends when a signal comes. Raises EngineError."""
    answer: Future[Answer] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error if isinstance(error, EngineError) else refused(error))

    threading.Thread(target=work, name="engine", daemon=True).start()
    return answer.result()
