"""What is sent to a real collector and a real Jaeger comes back as the same table.

Two levels of one suite. `contract` starts the servers (`make contract` builds them); with NINEFOLD_RECORD=1 it also
keeps their answers in `answers/`. The default level replays these answers, so that it needs no server.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from same_table import assert_same

from contract import sdk, servers
from ninefold.api.tracebackend import JaegerSource, TraceBackendSpec
from ninefold.traces import Window, open_backend
from ninefold.traces.jaeger import Jaeger
from ninefold.traces.model import TraceRecord
from standins.clickhouse import ClickHouseStandIn

WINDOW = Window(1_789_999_000 * 10**9, 1_790_003_000 * 10**9)
WRAPPINGS = ("traces.json", "traces.binpb", "traces.json.zst", "traces.binpb.zst")
ANSWERS = Path(__file__).parent / "answers"
DDL = Path(__file__).parents[2] / "hack/standins/otel_traces.sql"
RECORD = bool(os.environ.get("NINEFOLD_RECORD"))
BATCH = 10
"""Spans of one request: the spans of one trace come in several."""


def needs(name: str) -> Any:
    reason = f"{name} is not built: `make contract` builds it"
    return pytest.mark.skipif(servers.cached(name) is None, reason=reason)


def files(root: Path, path: str = "") -> list[TraceRecord]:
    spec = TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}, "path": path}})
    return list(open_backend(spec, root).read(WINDOW))


@pytest.fixture
def wanted(sent: list[str], tmp_path: Path) -> list[TraceRecord]:
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / "traces.jsonl").write_text("\n".join(sent))
    return files(folder)


class Recorder(httpx.HTTPTransport):
    """Passes requests on and remembers what was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        answer.read()
        told = {"path": request.url.path, "query": dict(request.url.params), "status": answer.status_code}
        self.answers.append(told | {"body": answer.json()})
        return answer


@pytest.mark.contract
@needs("collector")
def test_what_the_collector_writes_is_what_was_sent(sent: list[str], wanted: list[TraceRecord], tmp_path: Path) -> None:
    with servers.collector(tmp_path) as url:
        sdk.send(url, sent, BATCH)
    for name in WRAPPINGS:
        assert_same(wanted, files(tmp_path, name))
        if RECORD:
            shutil.copy(tmp_path / name, ANSWERS / name)


class Watched(ClickHouseStandIn):
    """Remembers what it was asked, and the data that followed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[bytes, bytes]] = []

    def query(self, sql: bytes, data: bytes = b"", *more: Any) -> bytes:
        self.asked.append((sql, data))
        return super().query(sql, data, *more)


@pytest.mark.contract
@needs("collector")
def test_what_the_exporter_writes_into_clickhouse_is_what_was_sent(
    sent: list[str], wanted: list[TraceRecord], tmp_path: Path
) -> None:
    """The exporter makes its table itself, by its own definition, which is the one of the other tests."""
    with Watched() as server, servers.collector(tmp_path, server.url) as url:
        sdk.send(url, sent, BATCH)
        assert_same(wanted, of_table(server))
    made = next(sql for sql, _ in server.asked if sql.startswith(b"CREATE TABLE"))
    assert words(made) == words(DDL.read_bytes())
    inserts = [(sql, data) for sql, data in server.asked if sql.startswith(b"INSERT")]
    assert len(inserts) > 1
    if RECORD:
        (ANSWERS / "otel_traces.sql").write_bytes(inserts[0][0] + b"\n")
        (ANSWERS / "otel_traces.native").write_bytes(b"".join(data for _, data in inserts))


@pytest.mark.contract
@needs("collector")
def test_an_exporter_that_keeps_attributes_in_json_columns_is_read_as_well(
    sent: list[str], wanted: list[TraceRecord], tmp_path: Path
) -> None:
    with ClickHouseStandIn() as server, servers.collector(tmp_path, server.url, json_columns=True) as url:
        sdk.send(url, sent, BATCH)
        assert_same(wanted, of_table(server))


def words(sql: bytes) -> list[bytes]:
    """A statement without its comments, however it is broken into lines."""
    return b" ".join(line for line in sql.splitlines() if not line.startswith(b"--")).split()


@pytest.mark.contract
@needs("jaeger")
def test_what_jaeger_answers_is_what_was_sent(sent: list[str], wanted: list[TraceRecord], tmp_path: Path) -> None:
    recorder = Recorder()
    with servers.jaeger(tmp_path) as (otlp, query):
        sdk.send(otlp, sent, BATCH)
        found = list(Jaeger(JaegerSource(url=query), {}, recorder).read(WINDOW))
    assert_same(without_users(wanted), without_users(found), resolution=1000)
    if RECORD:
        (ANSWERS / "jaeger.json").write_text(json.dumps(recorder.answers, indent=1) + "\n")


@pytest.mark.parametrize("name", WRAPPINGS)
def test_what_a_collector_wrote_is_what_was_sent(wanted: list[TraceRecord], name: str) -> None:
    assert_same(wanted, files(ANSWERS, name))


def test_what_a_jaeger_answered_is_what_was_sent(wanted: list[TraceRecord]) -> None:
    answers: Iterator[dict[str, Any]] = iter(json.loads((ANSWERS / "jaeger.json").read_text()))

    def replay(asked: httpx.Request) -> httpx.Response:
        told = next(answers)
        assert (asked.url.path, dict(asked.url.params)) == (told["path"], told["query"])
        return httpx.Response(told["status"], json=told["body"])

    backend = Jaeger(JaegerSource(url="http://jaeger"), {}, httpx.MockTransport(replay))
    assert_same(without_users(wanted), without_users(backend.read(WINDOW)), resolution=1000)


def test_what_the_exporter_wrote_into_its_table_is_what_was_sent(wanted: list[TraceRecord]) -> None:
    with ClickHouseStandIn() as server:
        server.query(DDL.read_bytes())
        server.query((ANSWERS / "otel_traces.sql").read_bytes(), (ANSWERS / "otel_traces.native").read_bytes())
        assert_same(wanted, of_table(server))


def of_table(server: ClickHouseStandIn) -> list[TraceRecord]:
    spec = TraceBackendSpec.model_validate({"clickhouse": {"url": server.url}})
    return list(open_backend(spec, None, {}).read(WINDOW))


def without_users(records: Any) -> Iterator[TraceRecord]:
    """Readers used without their door (`open_backend`) still carry a plain hash of the user."""
    return (replace(r, user_hash=None) for r in records)
