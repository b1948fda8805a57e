"""The exporter's table in the real engine, behind a stand-in for its server (docs/backends/clickhouse.md)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from otel_rows import insert
from trace_builders import START, request, wire_span

from ninefold.api.tracebackend import LOGIN_PREFIX, TraceBackendSpec
from ninefold.traces import Backend, TracesProblem, Window, open_backend
from ninefold.traces.otlp_json import flats_of
from standins.clickhouse import PASSWORD, ClickHouseStandIn

HOUR = 3600 * 10**9
DDL = Path(__file__).parents[3] / "hack/standins/otel_traces.sql"
SECRETS = {f"{LOGIN_PREFIX}PASSWORD": PASSWORD}


def spans(trace: int, at: float = 0) -> list[dict[str, Any]]:
    said = {"gen_ai__operation__name": "chat", "gen_ai__output__messages": "Hello."}
    root = wire_span(
        0, at=at, lasts=5, trace=trace, gen_ai__operation__name="invoke_agent", app__floor=3, app__open=True
    )
    return [root, wire_span(1, at=at + 1, trace=trace, gen_ai__usage__input_tokens=12, **said)]


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseStandIn]:
    with ClickHouseStandIn(password=PASSWORD) as running:
        running.query(DDL.read_bytes())
        yield running


def backend(server: ClickHouseStandIn, secrets: dict[str, str] = SECRETS, **fields: Any) -> Backend:
    source = {"url": server.url, "passwordSecretRef": {"name": "clickhouse", "key": "password"}, **fields}
    return open_backend(TraceBackendSpec.model_validate({"clickhouse": source}), None, secrets)


def test_the_same_traces_as_from_files(server: ClickHouseStandIn, tmp_path: Path) -> None:
    from collections import Counter

    requests = [request(*spans(n)) for n in (1, 2, 3)]
    insert(server, [flat for r in requests for flat in flats_of(r, Counter())])
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(r) for r in requests))
    files = open_backend(TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}}}), tmp_path)
    window = Window(START, START + HOUR)
    assert sorted(backend(server).read(window), key=lambda r: r.trace_id) == list(files.read(window))


def test_a_trace_belongs_to_the_window_in_which_it_starts_and_is_whole(server: ClickHouseStandIn) -> None:
    from collections import Counter

    insert(server, flats_of(request(*spans(9, at=7200)), Counter()))
    edge = START + 7200 * 10**9 + 1
    after, before = Window(edge, edge + HOUR), Window(edge - HOUR, edge)
    assert [len(r.steps) for r in backend(server).read(before)] == [2]
    assert list(backend(server).read(after)) == []


@pytest.mark.parametrize(
    ("fields", "secrets", "reason", "says"),
    [
        ({"table": "spans"}, SECRETS, "NoSuchTable", "has no table spans in default"),
        ({"database": "otel"}, SECRETS, "NoSuchTable", "has no table otel_traces in otel"),
        ({}, {f"{LOGIN_PREFIX}PASSWORD": "wrong"}, "Unauthorized", "refuses the login"),
        ({}, {}, "SecretEmpty", "the key that clickhouse.passwordSecretRef names is empty"),
        ({"database": "system", "table": "tables"}, SECRETS, "WrongTable", "is not the collector exporter's table"),
    ],
)
def test_what_a_user_must_mend_is_a_sentence(
    server: ClickHouseStandIn, fields: dict[str, Any], secrets: dict[str, str], reason: str, says: str
) -> None:
    with pytest.raises(TracesProblem, match=says) as told:
        list(backend(server, secrets, **fields).read(Window(START, START + HOUR)))
    assert told.value.reason == reason and PASSWORD not in told.value.message
