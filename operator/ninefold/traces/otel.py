"""OpenTelemetry spans, whatever carried them: one flat record, and the way from there to whole traces.

OTLP as JSON or protobuf, ClickHouse's columns and the answers of Tempo and Jaeger differ in their envelopes only. Each
reader takes its envelope off and yields `Flat` records, which are plain JSON (they may go through the spool); all that
follows is the same code for all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypedDict, cast

from ninefold.traces import conventions
from ninefold.traces.assemble import assemble
from ninefold.traces.model import Span, TraceRecord
from ninefold.traces.spool import by_trace
from ninefold.traces.told import Told


class Event(TypedDict):
    name: str
    ts: int
    attributes: dict[str, Any]


class Flat(TypedDict):
    """One span without its envelope. Ids are lower-case hex, times nanoseconds since 1970 (0: unknown)."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    failed: bool
    message: str | None
    resource: dict[str, Any]
    attributes: dict[str, Any]
    events: list[Event]


def traces_of(flats: Iterable[Flat], size: int, losses: Counter[str]) -> Iterator[TraceRecord]:
    """Whole traces of spans in any order. `size` is that of the input in bytes."""
    keyed = ((flat["trace_id"], cast(dict[str, Any], flat)) for flat in flats)
    for group in by_trace(keyed, size, losses):
        yield trace_of(cast(list[Flat], group), losses)


def trace_of(flats: list[Flat], losses: Counter[str]) -> TraceRecord:
    """One trace of all its spans, at least one. How many they may be is the business of whoever holds them."""
    told = Told()
    return assemble([span_of(flat, losses, told) for flat in flats], losses)


def span_of(flat: Flat, losses: Counter[str], told: Told) -> Span:
    """A flat record as a `Span`. What makes no sense in it is counted and left out; the span stays."""
    start, end = flat["start"], flat["end"]
    if not start:
        losses["spans_without_time"] += 1
        start = end
    resource = flat["resource"]
    span = Span(flat["trace_id"], flat["span_id"], start, end, parent_id=flat["parent_id"], name=flat["name"])
    span.service = _text(resource.get("service.name"))
    span.environment = _text(resource.get("deployment.environment.name") or resource.get("deployment.environment"))
    span.failed = flat["failed"]
    span.error_message = flat["message"] if flat["failed"] else None
    events = [(e["name"], e["ts"], e["attributes"]) for e in flat["events"]]
    conventions.apply(span, flat["attributes"], events, losses, told)
    span.agent_version = span.agent_version or _text(resource.get("service.version"))
    if span.kind == "llm" and not span.messages and not span.output:
        losses["llm_without_content"] += 1
    return span


def kept_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The few attributes of a resource that are read; it is repeated with every span."""
    return {k: v for k, v in resource.items() if k.startswith(("service.", "deployment."))}


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
