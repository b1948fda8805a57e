"""OTLP's protobuf encoding to flat records. Source: opentelemetry-proto, `trace/v1/trace.proto` (TracesData).

Protobuf refuses a whole message for one text in it that is no UTF-8, though the collector writes such texts as they
came: a message that is refused is read once more with what is no text replaced by U+FFFD (`invalid_utf8`).
"""

import base64
from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from ninefold.traces.otel import Event, Flat, kept_of
from ninefold.traces.prototext import with_text


def flats_of(data: bytes, losses: Counter[str]) -> Iterator[Flat]:
    """The spans of one serialised TracesData or ExportTraceServiceRequest, which are the same bytes.

    Raises ValueError when it is none.
    """
    request = _parsed(data, losses)
    for group in request.resource_spans:
        resource = kept_of(_attributes(group.resource.attributes))
        for scope in group.scope_spans:
            for span in scope.spans:
                if any(span.trace_id):
                    yield _flat(span, resource)
                else:
                    losses["spans_without_id"] += 1


def _parsed(data: bytes, losses: Counter[str]) -> TracesData:
    try:
        return TracesData.FromString(data)
    except DecodeError:
        pass
    try:
        found = TracesData.FromString(with_text(data, TracesData.DESCRIPTOR))
    except (DecodeError, ValueError, RecursionError):
        raise ValueError("no TracesData") from None
    losses["invalid_utf8"] += 1
    return found


def _flat(span: Span, resource: dict[str, Any]) -> Flat:
    return Flat(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() if any(span.parent_span_id) else None,
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        message=span.status.message or None,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=[Event(name=e.name, ts=e.time_unix_nano, attributes=_attributes(e.attributes)) for e in span.events],
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        found[pair.key] = _value(pair.value)
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None
