"""A stand-in for a ClickHouse server: its HTTP interface, thin, before the real engine (chdb, embedded).

The engine parses, stores, sorts and formats, so tables, queries and errors are ClickHouse's own; the front only passes
a query, its parameters and its data on, and keeps one user with one password. It is no server: one query at a time.

    python -m standins.clickhouse PORT     serves until it is stopped
"""

import json
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session

from standins import native

PASSWORD = "stand-in"
_STATUS = (
    ("UNKNOWN_TABLE", 404), ("UNKNOWN_DATABASE", 404), ("UNKNOWN_IDENTIFIER", 404),
    ("SYNTAX_ERROR", 400), ("ILLEGAL_TYPE", 400),
)  # fmt: skip
"""The HTTP status that ClickHouse gives with an error (`HTTPHandler.cpp`, exceptionCodeToHTTPStatus); else 500."""
_READS = re.compile(rb"\s*(SELECT|SHOW|DESC|DESCRIBE|EXISTS|WITH)\b", re.I)
_FORMAT = re.compile(rb"\bFORMAT\s+\w+\s*;?\s*$", re.I)


class ClickHouseStandIn:
    """Use as a context manager; `url` is where it listens. `password` None lets everybody in."""

    def __init__(self, port: int = 0, password: str | None = None) -> None:
        self.password, self._lock = password, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._folder = tempfile.TemporaryDirectory(prefix="clickhouse-standin-")
        self._session: Any = Session(f"{self._folder.name}/data")  # type: ignore[no-untyped-call]

    def __enter__(self) -> "ClickHouseStandIn":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._session.close()
        self._folder.cleanup()

    def query(
        self,
        sql: bytes,
        data: bytes = b"",
        params: dict[str, str] | None = None,
        fmt: str = "TabSeparated",
        database: str = "default",
    ) -> bytes:
        """Run one query; `data` follows an INSERT. Raises RuntimeError with the engine's own words."""
        with self._lock:
            self._session.query("USE {database:Identifier}", params={"database": database})
            if data:
                with _file(Path(self._folder.name), data) as path:
                    target, _, kind = sql.decode().rpartition("FORMAT")
                    sql = (
                        f"{target.strip().rstrip(';')} FROM INFILE '{path}' FORMAT {kind.strip().rstrip(';')}".encode()
                    )
                    return self._run(sql, fmt, params)
            return self._run(sql, fmt, params)

    def _run(self, sql: bytes, fmt: str, params: dict[str, str] | None) -> bytes:
        return bytes(self._session.query(sql.decode(), fmt, params=params or {}).bytes())


@contextmanager
def _file(folder: Path, data: bytes) -> Iterator[Path]:
    path = folder / "insert"
    path.write_bytes(data)
    try:
        yield path
    finally:
        path.unlink()


def _handler(standin: ClickHouseStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its own."""

        def do_GET(self) -> None:
            self._answer(200, b"Ok.\n")

        def do_POST(self) -> None:
            body = self._body()
            asked = {k: v[-1] for k, v in parse_qs(urlsplit(self.path).query).items()}
            key = self.headers.get("X-ClickHouse-Key")
            if standin.password is not None and key != standin.password:
                self._answer(403, b"Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)")
                return
            database = asked.get("database") or "default"
            sql, data = (asked["query"].encode(), body) if "query" in asked else (body, b"")
            params = {k.removeprefix("param_"): v for k, v in asked.items() if k.startswith("param_")}
            fmt = asked.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
            if _READS.match(sql) and (found := _FORMAT.search(sql)):
                fmt, sql = found[0].split()[1].decode().rstrip(";"), sql[: found.start()]
            try:
                if (
                    fmt == "Native"
                    and _READS.match(sql)
                    and int(asked.get("client_protocol_version", 0)) >= native.FIRST
                ):
                    self._answer(
                        200, native.block(json.loads(standin.query(sql, data, params, "JSONCompact", database)))
                    )
                else:
                    self._answer(200, standin.query(sql, data, params, fmt, database))
            except RuntimeError as error:
                said = str(error)
                status = next((code for name, code in _STATUS if name in said), 500)
                self._answer(status, said.encode())

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            out = bytearray()
            while size := int(self.rfile.readline().split(b";")[0], 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(out)

        def _answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


if __name__ == "__main__":
    with ClickHouseStandIn(int(sys.argv[1])) as running:
        print(running.url, flush=True)
        threading.Event().wait()
