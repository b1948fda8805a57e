"""Grafana Tempo: a search names traces, in slices of time until each is complete; then each trace is fetched by id.

Source: Tempo's HTTP API (grafana.com/docs/tempo/latest/api_docs). A search returns the first N that its workers find,
a different N each time, without a cursor, and takes times in whole seconds. So a slice that is full is halved down to
one second (`ninefold.traces.slices`). Ids come without their leading zeros. `/api/v2/traces` is there since Tempo 2.7
and says when it has left spans out; older servers have `/api/traces`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from ninefold.api.tracebackend import Capabilities, TempoSource
from ninefold.traces import otlp_json
from ninefold.traces.backend import Window, within
from ninefold.traces.model import TraceRecord
from ninefold.traces.otel import Flat, trace_of
from ninefold.traces.probe import RECENT, capabilities, recent
from ninefold.traces.problem import TracesProblem
from ninefold.traces.rest import Missing, RefusedRequest, Server, TooLarge, login_of
from ninefold.traces.slices import sliced
from ninefold.traces.spool import bounded

LIMIT = 200
"""Traces of one search. One that answers this many is halved."""
_SECOND = 10**9


class Tempo:
    """The `tempo` backend (see `ninefold.traces.backend.Backend`)."""

    def __init__(
        self, source: TempoSource, secrets: Mapping[str, str], transport: httpx.BaseTransport | None = None
    ) -> None:
        self.losses: Counter[str] = Counter()
        headers, auth = login_of(source.login, secrets, "tempo")
        if source.tenant is not None:
            headers["X-Scope-OrgID"] = source.tenant
        self._query = source.query
        self._server = Server(source.url, "tempo", headers, self.losses, auth, transport=transport)
        self._routes = ["/api/v2/traces/", "/api/traces/"]

    def probe(self) -> Capabilities:
        found = capabilities([], recent(self, RECENT), self.losses)
        return found.model_copy(update={"api": "Tempo v2" if self._routes[0].startswith("/api/v2") else "Tempo v1"})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from within(window, self._traces(window), self.losses)

    def _traces(self, window: Window) -> Iterator[TraceRecord]:
        seen: set[str] = set()
        whole = Window(window.start // _SECOND * _SECOND, -(-window.end // _SECOND) * _SECOND)
        for ids in sliced(whole, self._search, LIMIT, self.losses, shortest=_SECOND):
            for trace_id in ids:
                if trace_id in seen:  # a trace stands in every slice that it reaches into
                    continue
                seen.add(trace_id)
                if flats := bounded(self._trace(trace_id), self.losses):
                    yield trace_of(flats, self.losses)

    def _search(self, part: Window, limit: int) -> tuple[list[str], bool] | None:
        """Ids of the traces that reach into a slice, and whether they are all; None when the answer is too large."""
        query = {"q": self._query, "start": part.start // _SECOND, "end": part.end // _SECOND, "limit": limit}
        try:
            body = self._server.json("/api/search", query)
        except TooLarge:
            return None
        except Missing:
            raise self._problem(
                "WrongServer", "has no /api/search: write the address of Tempo's query frontend as tempo.url"
            ) from None
        except RefusedRequest as refused:
            if limit > LIMIT:
                return None  # above the server's max_result_limit
            if b"org id" in refused.said.lower():
                raise self._problem("NoTenant", "serves several tenants: write which one as tempo.tenant") from None
            raise self._problem("QueryRefused", "does not understand the query: write TraceQL as tempo.query") from None
        found = body.get("traces") if isinstance(body, dict) else None
        ids = [str(t["traceID"]).zfill(32) for t in found or () if isinstance(t, dict) and t.get("traceID")]
        return ids, len(ids) < limit

    def _trace(self, trace_id: str) -> list[Flat]:
        """The spans of one trace; empty, counted, when the server cannot give it."""
        for route in list(self._routes):
            try:
                body = self._server.json(route + trace_id, {})
            except Missing:
                continue
            except TooLarge:
                self.losses["oversized_traces"] += 1
                return []
            self._routes.sort(key=lambda r: r != route)  # the one that answered is asked first from now on
            return self._spans(body)
        self.losses["vanished_traces"] += 1
        return []

    def _spans(self, body: Any) -> list[Flat]:
        if isinstance(body, dict) and isinstance(body.get("trace"), dict):
            self.losses["partial_traces"] += str(body.get("status", "")).upper() == "PARTIAL"
            body = body["trace"]
        try:
            return list(otlp_json.flats_of(body, self.losses))
        except (ValueError, TypeError, AttributeError):
            self.losses["malformed_answers"] += 1
            return []

    def _problem(self, reason: str, what: str) -> TracesProblem:
        return TracesProblem(reason, f"{self._server.url} {what}")
