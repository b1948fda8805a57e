"""Every wrapping in which the collector's exporters leave their records (docs/backends/otlp.md)."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from trace_builders import START, request, wire_span

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import Window, open_backend
from ninefold.traces import stored as stored_module
from ninefold.traces.model import TraceRecord
from ninefold.traces.otlp_json import flats_of as flats_of_json
from ninefold.traces.otlp_proto import flats_of as flats_of_proto

ALWAYS = Window(0, 2**63)
SPAN = {"gen_ai__operation__name": "chat", "gen_ai__output__messages": "Hello.", "app__floor": 3, "app__open": True}


def a_request(trace: int = 1) -> dict[str, Any]:
    return request(wire_span(0, trace=trace, **SPAN))


def proto(message: dict[str, Any]) -> bytes:
    """The same message in protobuf. ParseDict wants base64 for ids, which is what OTLP-JSON departs from."""
    import base64

    copy = json.loads(json.dumps(message))
    for span in copy["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in span:
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return ParseDict(copy, TracesData()).SerializeToString()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def prefixed(*records: bytes) -> bytes:
    return b"".join(len(r).to_bytes(4, "big") + r for r in records)


def read(root: Path, path: str = "", window: Window = ALWAYS) -> tuple[list[TraceRecord], dict[str, int]]:
    spec = TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}, "path": path}})
    backend = open_backend(spec, root)
    return list(backend.read(window)), {k: v for k, v in backend.losses.items() if v}


ONE, TWO = a_request(1), a_request(2)
JSON_ONE, JSON_TWO = json.dumps(ONE).encode(), json.dumps(TWO).encode()
WRAPPINGS = {
    "JSON lines": JSON_ONE + b"\n" + JSON_TWO + b"\n",
    "JSON lines, gzipped": gzip.compress(JSON_ONE + b"\n" + JSON_TWO),
    "JSON lines, zstd": zstd(JSON_ONE + b"\n" + JSON_TWO),
    "gzip members one after the other": gzip.compress(JSON_ONE + b"\n") + gzip.compress(JSON_TWO),
    "length-prefixed protobuf": prefixed(proto(ONE), proto(TWO)),
    "length-prefixed zstd of JSON": prefixed(zstd(JSON_ONE), zstd(JSON_TWO)),
    "length-prefixed zstd of protobuf": prefixed(zstd(proto(ONE)), zstd(proto(TWO))),
    "one protobuf message": proto(ONE) + proto(TWO),
    "one protobuf message, gzipped": gzip.compress(proto(ONE) + proto(TWO)),
    "one pretty JSON document": json.dumps(
        {"resourceSpans": ONE["resourceSpans"] + TWO["resourceSpans"]}, indent=1
    ).encode(),
}


@pytest.mark.parametrize("data", WRAPPINGS.values(), ids=WRAPPINGS)
def test_every_wrapping_gives_the_same_traces(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "named-like-nothing").write_bytes(data)
    traces, losses = read(tmp_path)
    (tmp_path / "named-like-nothing").write_bytes(WRAPPINGS["JSON lines"])
    assert (traces, losses) == read(tmp_path) and len(traces) == 2


def test_protobuf_and_json_say_the_same_of_a_span() -> None:
    assert list(flats_of_proto(proto(ONE), Counter())) == list(flats_of_json(ONE, Counter()))


def test_a_protobuf_message_that_begins_like_a_line_of_json_is_no_json() -> None:
    assert not stored_module.is_json(b"\x0a{\x0a\x10")
    assert stored_module.is_json(b'\n{"resourceSpans": []}')


def test_only_partitions_near_the_window_are_opened(tmp_path: Path) -> None:
    for n, day in enumerate(("14", "15", "20"), 1):
        folder = tmp_path / f"year=2025/month=06/day={day}/hour=15/minute=06"
        folder.mkdir(parents=True)
        (folder / "traces_1.json").write_bytes(json.dumps(a_request(n)).encode())
    traces, losses = read(tmp_path, window=Window(START, START + 3600 * 10**9))
    assert len(traces) == 2 and losses == {"files_outside_window": 1}


def test_a_file_that_ends_in_a_record_gives_what_is_before(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(prefixed(proto(ONE), proto(TWO))[:-10])
    traces, losses = read(tmp_path)
    assert len(traces) == 1 and losses == {"truncated_files": 1}


def test_a_zip_bomb_is_left_when_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.traces.bombs.FREE_EXPANSION", 2**20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\n" * 2**23))
    (tmp_path / "good.json").write_bytes(JSON_ONE)
    traces, losses = read(tmp_path)
    assert len(traces) == 1 and losses == {"zip_bombs": 1}


def test_a_record_that_unpacks_to_more_than_one_may_be_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "MAX_RECORD", 2**16)
    (tmp_path / "t").write_bytes(prefixed(zstd(b" " * 2**20), zstd(JSON_ONE)))
    traces, losses = read(tmp_path)
    assert len(traces) == 1 and losses == {"oversized_records": 1}


def test_noise_is_counted_and_never_fatal(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "garbled").write_bytes(prefixed(b"\x0a\xff\xff\xff", proto(ONE)))
    traces, losses = read(tmp_path)
    assert len(traces) == 1 and sum(losses.values()) >= 2
