"""Tempo and Jaeger: searched in slices of time until nothing can be missing (docs/backends/tempo.md, jaeger.md)."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from trace_builders import SECOND, START, request, wire_span

from ninefold.api.tracebackend import LOGIN_PREFIX, JaegerSource, TempoSource
from ninefold.traces import TracesProblem, Window
from ninefold.traces import jaeger as jaeger_module
from ninefold.traces import tempo as tempo_module
from ninefold.traces.jaeger import Jaeger
from ninefold.traces.slices import sliced
from ninefold.traces.tempo import Tempo

WINDOW = Window(START, START + 2 * 3600 * SECOND)
Handler = Callable[[httpx.Request], httpx.Response]


def message(trace: int) -> dict[str, Any]:
    said = {"gen_ai__operation__name": "chat", "gen_ai__output__messages": "Hello."}
    return request(wire_span(0, at=trace * 60, trace=trace, **said))


class TempoLike:
    """A search that answers any `limit` of the traces of a slice, and traces by id with the ids in base64."""

    def __init__(self, count: int, *, v2: bool = True) -> None:
        self.traces = {f"{n:x}": message(n) for n in range(1, count + 1)}
        self.v2, self.searches, self.headers = v2, 0, httpx.Headers()

    def __call__(self, asked: httpx.Request) -> httpx.Response:
        self.headers = asked.headers
        if asked.url.path == "/api/search":
            self.searches += 1
            start, end, limit = (int(asked.url.params[k]) for k in ("start", "end", "limit"))
            ids = [i for i in self.traces if start <= START // SECOND + int(i, 16) * 60 < end]
            return httpx.Response(200, json={"traces": [{"traceID": i} for i in ids[-limit:]], "metrics": {}})
        trace = self.traces.get(asked.url.path.rsplit("/", 1)[1].lstrip("0"))
        if trace is None or (asked.url.path.startswith("/api/v2") and not self.v2):
            return httpx.Response(404, text="404 page not found")
        body = json.loads(json.dumps(trace))
        for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for key in ("traceId", "spanId"):
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        return httpx.Response(200, json={"trace": body} if self.v2 else {"batches": body["resourceSpans"]})


def tempo(handler: Handler, secrets: dict[str, str] | None = None, **fields: Any) -> Tempo:
    source = TempoSource.model_validate({"url": "http://tempo:3200", **fields})
    return Tempo(source, secrets or {}, httpx.MockTransport(handler))


def jaeger(handler: Handler, **fields: Any) -> Jaeger:
    source = JaegerSource.model_validate({"url": "http://jaeger:16686", **fields})
    return Jaeger(source, {}, httpx.MockTransport(handler))


@pytest.mark.parametrize("v2", [True, False], ids=["v2", "v1"])
def test_tempo_is_asked_for_less_time_until_no_trace_is_missing(monkeypatch: pytest.MonkeyPatch, v2: bool) -> None:
    monkeypatch.setattr(tempo_module, "LIMIT", 5)
    server = TempoLike(60, v2=v2)
    backend = tempo(server)
    found = sorted(r.trace_id for r in backend.read(WINDOW))
    assert found == [f"{n:032x}" for n in range(1, 61)]
    assert +backend.losses == Counter() and server.searches > 12


def test_tempo_is_told_tenant_and_token() -> None:
    server = TempoLike(1)
    login = {"tokenSecretRef": {"name": "tempo", "key": "token"}}
    list(tempo(server, {f"{LOGIN_PREFIX}TOKEN": "t0ken\n"}, tenant="shop", login=login).read(WINDOW))
    assert (server.headers["X-Scope-OrgID"], server.headers["Authorization"]) == ("shop", "Bearer t0ken")


class JaegerLike:
    """Whole traces of one service, at most `search_depth` of them, newest first."""

    def __init__(self, count: int) -> None:
        self.traces = {n: message(n) for n in range(1, count + 1)}

    def __call__(self, asked: httpx.Request) -> httpx.Response:
        if asked.url.path == "/api/v3/services":
            return httpx.Response(200, json={"services": ["guide"]})
        low, high = (
            datetime.fromisoformat(asked.url.params[f"query.start_time_{k}"][:19] + "+00:00").timestamp()
            for k in ("min", "max")
        )
        hits = [m for n, m in self.traces.items() if low <= START // SECOND + n * 60 < high]
        if not hits:
            return httpx.Response(404, json={"error": {"httpCode": 404, "message": "No traces found"}})
        hits = hits[-int(asked.url.params["query.search_depth"]) :]
        return httpx.Response(200, json={"result": {"resourceSpans": [g for m in hits for g in m["resourceSpans"]]}})


def test_jaeger_is_asked_for_less_time_until_no_trace_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaeger_module, "DEPTH", 5)
    backend = jaeger(JaegerLike(60))
    assert sorted(r.trace_id for r in backend.read(WINDOW)) == [f"{n:032x}" for n in range(1, 61)]
    assert +backend.losses == Counter()


@pytest.mark.parametrize(("there", "found", "lost"), [(150, 150, 0), (1500, 1500, 0), (10**6, 20_000, 1)])
def test_of_too_many_traces_in_one_second_as_many_are_read_as_a_server_gives(there: int, found: int, lost: int) -> None:
    asked: list[Window] = []

    def search(part: Window, limit: int) -> tuple[int, bool]:
        asked.append(part)
        here = there if part.start <= START < part.end else 0
        return min(here, limit), here < limit

    losses = Counter[str]()
    assert sum(sliced(WINDOW, search, 200, losses, shortest=SECOND)) == found
    assert losses["slices_over_limit"] == lost and len(asked) < 40


def test_a_server_that_gives_no_more_is_taken_at_its_word() -> None:
    def search(part: Window, limit: int) -> tuple[int, bool] | None:
        return (200, False) if limit == 200 else None

    losses = Counter[str]()
    assert list(sliced(Window(START, START + SECOND), search, 200, losses, shortest=SECOND)) == [200]
    assert losses == {"slices_over_limit": 1}


def answers(status: int, **more: Any) -> Handler:
    return lambda _: httpx.Response(status, **more)


def breaks(error: type[httpx.TransportError], said: str) -> Handler:
    def handler(asked: httpx.Request) -> httpx.Response:
        raise error(said, request=asked)

    return handler


BAD = [
    (answers(401), "Unauthorized", "refuses the login \\(HTTP 401\\): check user, password or token in"),
    (answers(403), "Unauthorized", "that they may read"),
    (answers(302, headers={"Location": "https://login"}), "Redirected", "write the address that answers by itself"),
    (answers(404), "WrongServer", "write the address of"),
    (answers(200, text="<html>"), "WrongServer", "answers, but not as"),
    (answers(503), "BackendUnavailable", "is not available \\(HTTP 503\\), tried 4 times"),
    (breaks(httpx.ConnectError, "refused"), "Unreachable", "check name and port in"),
    (breaks(httpx.ConnectError, "[SSL: CERTIFICATE_VERIFY_FAILED]"), "TlsFailed", "its certificate must be valid"),
    (breaks(httpx.ReadTimeout, ""), "BackendUnavailable", "does not answer \\(ReadTimeout\\)"),
]


@pytest.mark.parametrize("make", [tempo, jaeger])
@pytest.mark.parametrize(("handler", "reason", "says"), BAD, ids=[f"{r}-{n}" for n, (_, r, _) in enumerate(BAD)])
def test_what_a_user_must_mend_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[Handler], Tempo | Jaeger], handler: Handler, reason: str, says: str
) -> None:
    backend = make(handler)
    monkeypatch.setattr(backend._server, "_sleep", lambda seconds: None)
    with pytest.raises(TracesProblem, match=says) as told:
        list(backend.read(WINDOW))
    assert told.value.reason == reason


def test_a_busy_server_is_waited_for_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    real, slept = JaegerLike(1), list[float]()

    def busy(asked: httpx.Request) -> httpx.Response:
        return real(asked) if slept else httpx.Response(429, headers={"Retry-After": "7"})

    backend = jaeger(busy)
    monkeypatch.setattr(backend._server, "_sleep", slept.append)
    assert len(list(backend.read(WINDOW))) == 1 and slept == [7.0]


def test_several_tenants_and_no_traceql_are_told_apart() -> None:
    with pytest.raises(TracesProblem, match=r"write which one as tempo\.tenant"):
        list(tempo(answers(400, text="no org id")).read(WINDOW))
    with pytest.raises(TracesProblem, match=r"write TraceQL as tempo\.query"):
        list(tempo(answers(400, text="invalid TraceQL query")).read(WINDOW))
