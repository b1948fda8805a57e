"""OTLP's JSON encoding: an ExportTraceServiceRequest, or the TracesData that Jaeger and Tempo answer, to flat records.

Source: opentelemetry-proto, `docs/specification.md` ("JSON Protobuf Encoding"): ids are hex, 64-bit integers are
decimal strings, enums are numbers. What others write instead (base64 ids of protobuf's own JSON mapping, enum names)
is read too.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ninefold.traces.otel import Event, Flat, kept_of

_ERROR = (2, "2", "STATUS_CODE_ERROR")
_GROUPS = ("resourceSpans", "resource_spans", "batches")
"""Names of the outermost list; `batches` is Tempo's."""
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_Dict = dict[str, Any]


def flats_of(request: Any, losses: Counter[str]) -> Iterator[Flat]:
    """The spans of one request. Raises ValueError when it is none; spans that are broken are counted."""
    groups = _list(request, _GROUPS)
    if groups is None:
        raise ValueError("no resourceSpans")
    for group in groups:
        resource = kept_of(attributes_of((group.get("resource") or {}).get("attributes")))
        for scope in _list(group, _SCOPES) or ():
            for wire in scope.get("spans") or ():
                if (flat := _flat(wire, resource, losses)) is not None:
                    yield flat


def _flat(wire: Any, resource: _Dict, losses: Counter[str]) -> Flat | None:
    if not isinstance(wire, dict) or not (trace_id := _id(wire.get("traceId"))):
        losses["spans_without_id"] += 1
        return None
    status = wire.get("status")
    status = status if isinstance(status, dict) else {}
    return Flat(
        trace_id=trace_id,
        span_id=_id(wire.get("spanId")) or "",
        parent_id=_id(wire.get("parentSpanId")),
        name=str(wire.get("name") or ""),
        start=integer(wire.get("startTimeUnixNano")) or 0,
        end=integer(wire.get("endTimeUnixNano")) or 0,
        failed=status.get("code") in _ERROR,
        message=str(status["message"]) if status.get("message") else None,
        resource=resource,
        attributes=attributes_of(wire.get("attributes")),
        events=[_event(e) for e in wire.get("events") or () if isinstance(e, dict)],
    )


def _event(wire: _Dict) -> Event:
    attributes = attributes_of(wire.get("attributes"))
    # Jaeger keeps an event as a log, whose name is one of its fields.
    name = wire.get("name") or attributes.pop("event", None) or ""
    return Event(name=str(name), ts=integer(wire.get("timeUnixNano")) or 0, attributes=attributes)


def _list(value: Any, names: tuple[str, ...]) -> list[Any] | None:
    if not isinstance(value, dict):
        return None
    found = next((value[name] for name in names if isinstance(value.get(name), list)), None)
    return None if found is None else [item for item in found if isinstance(item, dict)]


def attributes_of(pairs: Any) -> _Dict:
    """A list of KeyValue as a dictionary."""
    if not isinstance(pairs, list):
        return {}
    return {str(p["key"]): _value(p.get("value")) for p in pairs if isinstance(p, dict) and "key" in p}


def _value(value: Any) -> Any:
    """An AnyValue as a Python value."""
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    if kind == "intValue":
        return integer(inner)
    if kind == "arrayValue":
        return [_value(v) for v in (inner or {}).get("values") or ()]
    if kind == "kvlistValue":
        return attributes_of((inner or {}).get("values"))
    return inner


def integer(value: Any) -> int | None:
    """A 64-bit integer of the JSON encoding: a decimal string, or a number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _id(value: Any) -> str | None:
    """An id as lower-case hex: 16 or 32 digits. Any other that is base64 of 8 or 16 bytes is protobuf's json_format."""
    if not isinstance(value, str) or not value.strip("0"):
        return None
    if len(value) in (12, 24) and value.endswith("="):
        try:
            raw = base64.b64decode(value, validate=True)
        except binascii.Error:
            return None
        return raw.hex() if any(raw) else None
    return value.lower()
