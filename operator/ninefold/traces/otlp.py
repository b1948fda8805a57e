"""OTLP-JSON files: one ExportTraceServiceRequest a line, as the OpenTelemetry collector's file exporter writes them.

Source: opentelemetry-proto, `docs/specification.md` ("JSON Protobuf Encoding"): ids are hex, 64-bit integers are
decimal strings, enums are numbers. What others write instead (base64 ids of protobuf's own JSON mapping, enum names)
is read too. The spans of one trace may stand in any line of any file.
"""

import base64
import binascii
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ninefold.api.tracebackend import Capabilities, OtlpSource
from ninefold.traces import genai
from ninefold.traces.assemble import assemble
from ninefold.traces.backend import Window, within
from ninefold.traces.model import Score, Span, TraceRecord
from ninefold.traces.paths import decode, lines, require_files
from ninefold.traces.probe import PROBE_BYTES, capabilities
from ninefold.traces.spool import by_trace

_GZIP_RATIO = 12
"""Messages repeat the whole history, so exported traces shrink about this much."""
_ERROR = (2, "2", "STATUS_CODE_ERROR")
_Dict = dict[str, Any]


class OtlpFiles:
    """The `otlp` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, source: OtlpSource, root: Path) -> None:
        self.losses: Counter[str] = Counter()
        self._source, self._root = source, root

    def probe(self) -> Capabilities:
        files = require_files(self._root, self._source.path, self.losses)
        return capabilities(files, self._assembled(self._spans(files, PROBE_BYTES), 0), self.losses)

    def read(self, window: Window) -> Iterator[TraceRecord]:
        files = require_files(self._root, self._source.path, self.losses)
        size = sum(p.stat().st_size * (_GZIP_RATIO if p.suffix == ".gz" else 1) for p in files)
        yield from within(window, self._assembled(self._spans(files), size), self.losses)

    def _assembled(self, spans: Iterable[tuple[str, _Dict]], size: int) -> Iterator[TraceRecord]:
        for group in by_trace(spans, size, self.losses):
            yield assemble([self._span(r) for r in group], self.losses)

    def _spans(self, files: Iterable[Path], most: float = math.inf) -> Iterator[tuple[str, _Dict]]:
        """Spans of the files, of at most so many bytes of lines."""
        for path in files:
            for line in lines(path, self.losses):
                if (most := most - len(line)) < 0:
                    return
                try:
                    found = list(_unpack(json.loads(decode(line, self.losses))))
                except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
                    self.losses["malformed_lines"] += 1
                    continue
                for span, resource in found:
                    if trace_id := _id(span.get("traceId")):
                        yield trace_id, {"resource": resource, "span": span}
                    else:
                        self.losses["spans_without_id"] += 1

    def _span(self, record: _Dict) -> Span:
        """A wire span as a `Span`. A field of the wrong shape is counted and left out; the span stays."""
        wire, resource = record["span"], record["resource"]
        span = Span(_id(wire["traceId"]) or "", _id(wire.get("spanId")) or "", *_times(wire, self.losses))
        span.parent_id = _id(wire.get("parentSpanId"))
        span.name = str(wire.get("name") or "")
        span.service = resource.get("service.name")
        span.environment = resource.get("deployment.environment.name") or resource.get("deployment.environment")
        status = wire.get("status")
        if isinstance(status, dict) and status.get("code") in _ERROR:
            span.failed, span.error_message = True, status.get("message") or None
        genai.apply(span, _attributes(wire.get("attributes")), self.losses)
        span.agent_version = span.agent_version or resource.get("service.version")
        span.scores = self._events(span, wire)
        return span

    def _events(self, span: Span, wire: _Dict) -> list[Score]:
        scores = []
        for event in wire.get("events") or ():
            if not isinstance(event, dict):
                continue
            attributes = _attributes(event.get("attributes"))
            if event.get("name") == "gen_ai.evaluation.result":
                about = span.span_id if span.parent_id else None
                if score := genai.score_of(
                    attributes, _nanos(event.get("timeUnixNano")) or span.end, about, self.losses
                ):
                    scores.append(score)
            elif event.get("name") == "exception" and not span.error_message:
                span.error_type = span.error_type or attributes.get("exception.type")
                span.error_message = attributes.get("exception.message")
        return scores


def _unpack(request: _Dict) -> Iterator[tuple[_Dict, _Dict]]:
    """The spans of a request with the attributes of their resource."""
    for group in request["resourceSpans"]:
        resource = _attributes((group.get("resource") or {}).get("attributes"))
        kept = {k: str(v) for k, v in resource.items() if k.startswith(("service.", "deployment."))}
        for scope in group.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield dict(span), kept


def _attributes(pairs: Any) -> _Dict:
    if not isinstance(pairs, list):
        return {}
    return {str(p["key"]): _value(p.get("value")) for p in pairs if isinstance(p, dict) and "key" in p}


def _value(value: Any) -> Any:
    """An AnyValue as a Python value."""
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    if kind == "intValue":
        return _nanos(inner)
    if kind == "arrayValue":
        return [_value(v) for v in (inner or {}).get("values") or ()]
    if kind == "kvlistValue":
        return _attributes((inner or {}).get("values"))
    return inner


def _nanos(value: Any) -> int | None:
    """A 64-bit integer of the JSON encoding: a decimal string, or a number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _times(wire: _Dict, losses: Counter[str]) -> tuple[int, int]:
    start, end = _nanos(wire.get("startTimeUnixNano")), _nanos(wire.get("endTimeUnixNano"))
    if start is None:
        losses["spans_without_time"] += 1
        start = end or 0
    return start, max(start, end or start)


def _id(value: Any) -> str | None:
    """An id as lower-case hex. One of 12 or 24 characters with `=` at its end is base64, of protobuf's json_format."""
    if not isinstance(value, str) or not value.strip("0"):
        return None
    if value.endswith("=") and len(value) in (12, 24):
        try:
            return base64.b64decode(value, validate=True).hex()
        except binascii.Error:
            return None
    return value.lower()
