"""Jaeger's query API of version 3: a search answers whole traces, as many as it is allowed to, and no cursor.

Source: jaegertracing/jaeger-idl, `api_v3/query_service.proto`; the answer is OTLP in JSON. A search that comes back
with as many traces as it may have left some out, and which ones is not said; so its time is halved and searched again
until every slice is under the limit (`ninefold.traces.slices`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from ninefold.api.tracebackend import Capabilities, JaegerSource
from ninefold.traces import otlp_json
from ninefold.traces.backend import Window, within
from ninefold.traces.model import TraceRecord
from ninefold.traces.otel import Flat, trace_of
from ninefold.traces.probe import RECENT, capabilities, recent
from ninefold.traces.problem import TracesProblem
from ninefold.traces.rest import Missing, RefusedRequest, Server, TooLarge, login_of
from ninefold.traces.slices import sliced
from ninefold.traces.spool import bounded

DEPTH = 200
"""Traces of one search. One that answers this many is halved."""


class Jaeger:
    """The `jaeger` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(
        self, source: JaegerSource, secrets: Mapping[str, str], transport: httpx.BaseTransport | None = None
    ) -> None:
        self.losses: Counter[str] = Counter()
        headers, auth = login_of(source.login, secrets, "jaeger")
        self._source = source
        self._server = Server(source.url, "jaeger", headers, self.losses, auth, transport=transport)

    def probe(self) -> Capabilities:
        found = capabilities([], recent(self, RECENT), self.losses)
        return found.model_copy(update={"api": "Jaeger v3"})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from within(window, self._traces(window), self.losses)

    def _traces(self, window: Window) -> Iterator[TraceRecord]:
        seen: set[str] = set()
        for service in self._source.services or self._services():
            for part in sliced(window, partial(self._search, service), DEPTH, self.losses):
                for trace_id, flats in part.items():
                    if trace_id in seen:  # a trace of several services is found under each
                        continue
                    seen.add(trace_id)
                    if spans := bounded(flats, self.losses):
                        yield trace_of(spans, self.losses)

    def _services(self) -> list[str]:
        try:
            body = self._server.json("/api/v3/services", {})
        except Missing:
            raise TracesProblem(
                "WrongServer",
                f"{self._server.url} has no /api/v3/services: write the address of Jaeger's query service "
                "(port 16686), of Jaeger 1.50 or newer, as jaeger.url",
            ) from None
        names = body.get("services") if isinstance(body, dict) else None
        return [n for n in names or () if isinstance(n, str)]

    def _search(self, service: str, window: Window, depth: int) -> tuple[dict[str, list[Flat]], bool] | None:
        """The traces of a service in a slice, and whether they are all; None when the answer is too large."""
        query = {
            "query.service_name": service,
            "query.start_time_min": _rfc3339(window.start),
            "query.start_time_max": _rfc3339(window.end),
            "query.search_depth": depth,
            "query.num_traces": depth,  # the name of the field before Jaeger 1.62
        }
        try:
            body = self._server.json("/api/v3/traces", query)
        except Missing:
            return {}, True  # "No traces found"
        except TooLarge:
            return None
        except RefusedRequest as refused:
            if depth > DEPTH:
                return None  # some servers bound what may be asked for
            raise TracesProblem(
                "RequestRefused",
                f"{self._server.url} does not understand a search of version 3 (HTTP {refused.status})",
            ) from None
        found: dict[str, list[Flat]] = {}
        try:
            for flat in otlp_json.flats_of(_result(body), self.losses):
                found.setdefault(flat["trace_id"], []).append(flat)
        except (ValueError, TypeError, AttributeError):
            self.losses["malformed_answers"] += 1
        return found, len(found) < depth


def _result(body: Any) -> Any:
    """The TracesData in an answer: in a `result`, as the gateway wraps what its service streams, or bare."""
    return body.get("result", body) if isinstance(body, dict) else body


def _rfc3339(nanos: int) -> str:
    whole, rest = divmod(nanos, 10**9)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
