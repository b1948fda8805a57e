"""Recorded traces sent by the real OpenTelemetry SDK, as an instrumented agent sends its own.

The SDK makes the spans, its batching processor collects them and its exporter posts protobuf over HTTP, as they end:
children before their parents, the spans of one trace in several requests. Only ids and times are those recorded.
"""

import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from ninefold.traces.otlp_json import attributes_of


class _Recorded(IdGenerator):
    """Hands out the ids that were recorded."""

    def __init__(self) -> None:
        self.spans, self.trace = deque[int](), 0

    def generate_span_id(self) -> int:
        return self.spans.popleft()

    def generate_trace_id(self) -> int:
        return self.trace


def send(url: str, lines: Iterable[str], batch: int = 512) -> None:
    """Traces, an OTLP-JSON line each, to `url`/v1/traces, so many spans a request.

    Raises RuntimeError when not all were taken.
    """
    ids = _Recorded()
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=30)
    provider: TracerProvider | None = None
    for line in lines:
        (group,) = json.loads(line)["resourceSpans"]
        if provider is None:
            resource = Resource.create(attributes_of(group["resource"]["attributes"]))
            provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=10**6, max_export_batch_size=batch))
        for scope in group["scopeSpans"]:
            _record(provider.get_tracer(scope["scope"].get("name", "")), ids, scope["spans"])
    if provider is not None:
        sent = provider.force_flush(120_000)
        provider.shutdown()
        if not sent:
            raise RuntimeError(f"{url} has not taken all spans")


def _record(tracer: trace.Tracer, ids: _Recorded, spans: list[dict[str, Any]]) -> None:
    begun: dict[str, Span] = {}
    for wire in spans:
        ids.trace = int(wire["traceId"], 16)
        ids.spans.append(int(wire["spanId"], 16))
        above = begun.get(wire.get("parentSpanId", ""))
        span = tracer.start_span(
            wire["name"],
            trace.set_span_in_context(above) if above is not None else Context(),
            SpanKind(wire.get("kind", 1) - 1),
            attributes_of(wire["attributes"]),
            start_time=int(wire["startTimeUnixNano"]),
        )
        for event in wire.get("events", ()):
            span.add_event(event["name"], attributes_of(event["attributes"]), int(event["timeUnixNano"]))
        if wire["status"].get("code") == StatusCode.ERROR.value:
            span.set_status(Status(StatusCode.ERROR, wire["status"].get("message")))
        begun[wire["spanId"]] = span
    for wire in reversed(spans):
        begun[wire["spanId"]].end(int(wire["endTimeUnixNano"]))
