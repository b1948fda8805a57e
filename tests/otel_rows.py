"""Spans as the collector's ClickHouse exporter inserts them (`exporter_traces.go`): every attribute is text."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from ninefold.traces.otel import Flat
from standins.clickhouse import ClickHouseStandIn

INSERT = b"INSERT INTO otel_traces FORMAT JSONEachRow"


def as_text(value: Any) -> str:
    """pcommon.Value.AsString: text as it is, whole floats without a point, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def row(flat: Flat) -> dict[str, Any]:
    texts = {k: as_text(v) for k, v in flat["attributes"].items()}
    events = flat["events"]
    return {
        "Timestamp": moment(flat["start"]),
        "TraceId": flat["trace_id"],
        "SpanId": flat["span_id"],
        "ParentSpanId": flat["parent_id"] or "",
        "SpanName": flat["name"],
        "SpanKind": "Internal",
        "ServiceName": flat["resource"].get("service.name", ""),
        "ResourceAttributes": {k: as_text(v) for k, v in flat["resource"].items()},
        "SpanAttributes": texts,
        "Duration": (flat["end"] - flat["start"]) % 2**64,  # as Go subtracts
        "StatusCode": "Error" if flat["failed"] else "Unset",
        "StatusMessage": flat["message"] or "",
        "Events.Timestamp": [moment(e["ts"]) for e in events],
        "Events.Name": [e["name"] for e in events],
        "Events.Attributes": [{k: as_text(v) for k, v in e["attributes"].items()} for e in events],
    }


def moment(nanos: int) -> str:
    """DateTime64(9) as text: ten digits of seconds, a point, nine digits."""
    return f"{nanos // 10**9:010d}.{nanos % 10**9:09d}"


def insert(
    server: ClickHouseStandIn, flats: Iterable[Flat], change: Callable[[bytes], bytes] = lambda rows: rows
) -> None:
    """Put spans into the exporter's table, a batch at a time; `change` has the last word about its bytes."""
    rows = [json.dumps(row(flat), ensure_ascii=False).encode() for flat in flats]
    for start in range(0, len(rows), 2000):
        server.query(INSERT, change(b"\n".join(rows[start : start + 2000])))
