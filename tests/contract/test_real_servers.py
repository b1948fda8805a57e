"""What is sent to a real collector and a real Jaeger comes back as the same table.

Two levels of one suite. `contract` starts the servers (`make contract` builds them); with NINEFOLD_RECORD=1 it also
keeps their answers in `answers/`. The default level replays these answers, so that it needs no server.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from otel_rows import insert
from same_table import assert_same

from contract import servers
from ninefold.api.tracebackend import JaegerSource, TraceBackendSpec
from ninefold.traces import Window, open_backend
from ninefold.traces.jaeger import Jaeger
from ninefold.traces.model import TraceRecord
from ninefold.traces.otlp import flats_in
from ninefold.traces.stored import on_volume
from standins.clickhouse import ClickHouseStandIn

WINDOW = Window(1_789_999_000 * 10**9, 1_790_003_000 * 10**9)
WRAPPINGS = ("traces.json", "traces.binpb", "traces.json.zst", "traces.binpb.zst")
ANSWERS = Path(__file__).parent / "answers"
DDL = Path(__file__).parents[2] / "hack/standins/otel_traces.sql"
RECORD = bool(os.environ.get("NINEFOLD_RECORD"))


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


def push(url: str, lines: list[str]) -> None:
    """Every line to `/v1/traces`, the spans of each in two halves that come one after the other."""
    with httpx.Client(headers={"Content-Type": "application/json"}) as client:
        for line in lines:
            whole = json.loads(line)
            spans = whole["resourceSpans"][0]["scopeSpans"][0]["spans"]
            for half in (spans[1::2], spans[0::2]):
                whole["resourceSpans"][0]["scopeSpans"][0]["spans"] = half
                client.post(f"{url}/v1/traces", content=json.dumps(whole)).raise_for_status()


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
        push(url, sent)
    for name in WRAPPINGS:
        assert_same(wanted, files(tmp_path, name))
        if RECORD:
            shutil.copy(tmp_path / name, ANSWERS / name)


@pytest.mark.contract
@needs("jaeger")
def test_what_jaeger_answers_is_what_was_sent(sent: list[str], wanted: list[TraceRecord], tmp_path: Path) -> None:
    recorder = Recorder()
    with servers.jaeger(tmp_path) as (otlp, query):
        push(otlp, sent)
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


def test_what_the_exporters_table_holds_is_what_was_sent(wanted: list[TraceRecord]) -> None:
    with ClickHouseStandIn() as server:
        server.query(DDL.read_bytes())
        insert(server, flats_in(on_volume([ANSWERS / "traces.json"], ANSWERS), Counter()))
        spec = TraceBackendSpec.model_validate({"clickhouse": {"url": server.url}})
        assert_same(wanted, open_backend(spec, None, {}).read(WINDOW))


def without_users(records: Any) -> Iterator[TraceRecord]:
    """Readers used without their door (`open_backend`) still carry a plain hash of the user."""
    return (replace(r, user_hash=None) for r in records)
