"""Backends of every kind that hold the same spans: what happens to odd input must not depend on where it lies.

A backend is given OTLP-JSON requests. The text `BROKEN` stands for bytes that are no UTF-8.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from langfuse_clients import Wire
from mapped_rows import MAPPING, mapped
from otel_rows import insert
from protobuf_lines import as_protobuf

from ninefold.api.tracebackend import JaegerSource, TempoSource, TraceBackendSpec
from ninefold.traces import Backend, open_backend
from ninefold.traces.jaeger import Jaeger
from ninefold.traces.otlp_json import flats_of
from ninefold.traces.tempo import Tempo
from standins.clickhouse import ClickHouseStandIn
from standins.langfuse import StandIn, ingest, write_export
from standins.langfuse.answers import Generation

BROKEN, NO_TEXT = b"BROKEN", b"BR\xffKEN"
VOLUME = {"persistentVolumeClaim": {"claimName": "traces"}}
DDL = Path(__file__).parents[1] / "hack/standins/otel_traces.sql"
Requests = list[dict[str, Any]]
Holding = Callable[[Requests, Path], Any]


def text(requests: Requests) -> bytes:
    return b"\n".join(json.dumps(r).encode() for r in requests).replace(BROKEN, NO_TEXT)


def opened(source: dict[str, Any], root: Path | None = None) -> Backend:
    return open_backend(TraceBackendSpec.model_validate(source), root, {})


@contextmanager
def otlp_json(requests: Requests, folder: Path) -> Iterator[Backend]:
    (folder / "t.jsonl").write_bytes(text(requests))
    yield opened({"otlp": {"volume": VOLUME}}, folder)


@contextmanager
def otlp_proto(requests: Requests, folder: Path) -> Iterator[Backend]:
    records = [as_protobuf(json.dumps(r)).SerializeToString().replace(BROKEN, NO_TEXT) for r in requests]
    (folder / "t.binpb").write_bytes(b"".join(len(r).to_bytes(4, "big") + r for r in records))
    yield opened({"otlp": {"volume": VOLUME}}, folder)


@contextmanager
def mapped_files(requests: Requests, folder: Path) -> Iterator[Backend]:
    (folder / "rows.jsonl").write_bytes(text([row for r in requests for row in mapped(r)]))
    yield opened({"files": {"volume": VOLUME, "mapping": MAPPING}}, folder)


@contextmanager
def clickhouse(requests: Requests, folder: Path) -> Iterator[Backend]:
    with ClickHouseStandIn() as server:
        server.query(DDL.read_bytes())
        insert(
            server,
            [flat for r in requests for flat in flats_of(r, Counter())],
            lambda rows: rows.replace(BROKEN, NO_TEXT),
        )
        yield opened({"clickhouse": {"url": server.url}})


def _json(body: Any) -> httpx.Response:
    content = json.dumps(body).encode().replace(BROKEN, NO_TEXT)
    return httpx.Response(200, content=content, headers={"Content-Type": "application/json"})


def _spans(request: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for g in request["resourceSpans"] for scope in g["scopeSpans"] for s in scope["spans"]]


def _starts(request: dict[str, Any]) -> int:
    """When its root began: servers know traces by their roots."""
    return int(_spans(request)[0]["startTimeUnixNano"])


def _lines(requests: Requests) -> list[str]:
    """With the status that the SDK always sends, if only an empty one."""
    for span in (span for r in requests for span in _spans(r)):
        span.setdefault("status", {})
    return [json.dumps(r) for r in requests]


@contextmanager
def tempo(requests: Requests, folder: Path) -> Iterator[Backend]:
    """Answers any `limit` of the traces of a slice, and each trace by its id."""
    by_id = {_spans(r)[0]["traceId"]: r for r in requests}

    def answer(asked: httpx.Request) -> httpx.Response:
        if asked.url.path != "/api/search":
            return _json({"trace": by_id[asked.url.path.rsplit("/", 1)[1]]})
        start, end, limit = (int(asked.url.params[k]) for k in ("start", "end", "limit"))
        found = [i for i, r in by_id.items() if start <= _starts(r) // 10**9 < end]
        return _json({"traces": [{"traceID": i} for i in found[:limit]]})

    yield Tempo(TempoSource(url="http://tempo:3200"), {}, httpx.MockTransport(answer))


@contextmanager
def jaeger(requests: Requests, folder: Path) -> Iterator[Backend]:
    """Answers at most `search_depth` of the traces of a slice, whole."""

    def answer(asked: httpx.Request) -> httpx.Response:
        if asked.url.path == "/api/v3/services":
            return _json({"services": ["guide"]})
        low, high = (_nanos(asked.url.params[f"query.start_time_{side}"]) for side in ("min", "max"))
        found = [r for r in requests if low <= _starts(r) < high][: int(asked.url.params["query.search_depth"])]
        return _json({"result": {"resourceSpans": [g for r in found for g in r["resourceSpans"]]}})

    yield Jaeger(JaegerSource(url="http://jaeger:16686"), {}, httpx.MockTransport(answer))


def _nanos(moment: str) -> int:
    whole, _, rest = moment.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(rest)


class _Broken(Wire):
    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = super().__call__(request)
        content = answer.content.replace(BROKEN, NO_TEXT)
        return httpx.Response(answer.status_code, content=content, headers={"Content-Type": "application/json"})


def langfuse(generation: Generation) -> Holding:
    @contextmanager
    def holding(requests: Requests, folder: Path) -> Iterator[Backend]:
        yield _Broken(StandIn(ingest(_lines(requests)), generation)).backend()

    return holding


@contextmanager
def langfuse_export(requests: Requests, folder: Path) -> Iterator[Backend]:
    bounds = [("1960-01-01T00:00:00.000Z", "2240-01-01T00:00:00.000Z")]
    write_export(ingest(_lines(requests)), folder, bounds, "jsonl")
    for path in folder.rglob("*.jsonl.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(BROKEN, NO_TEXT)))
    yield opened({"langfuse": {"export": {"volume": VOLUME, "format": "jsonl"}}}, folder)


KINDS: dict[str, Holding] = {
    "otlp json": otlp_json,
    "otlp protobuf": otlp_proto,
    "clickhouse": clickhouse,
    "tempo": tempo,
    "jaeger": jaeger,
    "langfuse v4": langfuse("v4"),
    "langfuse v1": langfuse("v2"),
    "langfuse export": langfuse_export,
    "mapped files": mapped_files,
}
