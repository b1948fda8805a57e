"""What the server of the exporter's table leaves out and sends once only (`ninefold.traces.clickhouse_statements`)."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from otel_rows import insert
from trace_builders import START, an_agent_spec, request, wire_span

from ninefold.api.tracebackend import ClickHouseSource
from ninefold.traces import Window, collect, tabulate
from ninefold.traces.clickhouse import ClickHouse
from ninefold.traces.model import TraceRecord
from ninefold.traces.otel import Flat
from ninefold.traces.otlp_json import flats_of
from standins.clickhouse import ClickHouseStandIn

HOUR = 3600 * 10**9
WINDOW = Window(START, START + HOUR)
DDL = Path(__file__).parents[3] / "hack/standins/otel_traces.sql"


class Weighed(httpx.HTTPTransport):
    """Counts the bytes of answers."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.bytes += int(answer.headers["Content-Length"])
        return answer


@pytest.fixture
def server() -> Iterator[ClickHouseStandIn]:
    with ClickHouseStandIn() as running:
        running.query(DDL.read_bytes())
        yield running


def backend(server: ClickHouseStandIn, agent: str | None = None, *, whole: bool = False) -> tuple[ClickHouse, Weighed]:
    weighed = Weighed()
    opened = ClickHouse(ClickHouseSource(url=server.url), {}, agent, weighed)
    opened._nested = whole
    return opened, weighed


def put(server: ClickHouseStandIn, *requests: dict[str, Any]) -> None:
    insert(server, [flat for one in requests for flat in flats_of(one, Counter())])


def conversation(trace: int, turns: int, **root: Any) -> dict[str, Any]:
    """An agent whose every model call repeats a long system prompt and all that was said before."""
    spans = [wire_span(0, lasts=90, trace=trace, gen_ai__operation__name="invoke_agent", **root)]
    told: list[dict[str, str]] = []
    for turn in range(1, turns + 1):
        told.append({"role": "user", "content": f"Question {turn} of {trace}, in ünïcode: " + "why? " * 40})
        said = {
            "gen_ai__operation__name": "chat",
            "gen_ai__request__model": "m",
            "gen_ai__system_instructions": "You are careful. " * 60,
            "gen_ai__input__messages": json.dumps(told, ensure_ascii=False),
            "gen_ai__usage__input_tokens": turn,
        }
        spans.append({**wire_span(turn, at=turn, trace=trace, **said), "name": "chat m"})
    return request(*spans)


def test_content_moves_once_and_not_once_a_turn(server: ClickHouseStandIn) -> None:
    put(server, *(conversation(n, 20) for n in (1, 2)))
    (own, sent), (plain, all_of_it) = backend(server), backend(server, whole=True)
    traces = list(own.read(WINDOW))
    assert traces == list(plain.read(WINDOW)) and own.losses == plain.losses
    assert [len(t.steps) for t in traces] == [21, 21] and len(traces[0].messages) == 21
    assert sent.bytes < all_of_it.bytes / 4


def test_whatever_attributes_hold_they_come_as_they_are(server: ClickHouseStandIn) -> None:
    drawn = random.Random(7)
    values = [
        "",
        "]",
        "[]",
        "[1]",
        "[1,2]",
        "[1, 2]",
        "[1,2,3]",
        '["é"]',
        '["é","ü]"]',
        "[1],",
        "é]",
        "é],x",
        "😀",
    ]

    def flat(n: int) -> Flat:
        keys = drawn.sample(["gen_ai.input.messages", "app.a", "app.b", "app.c"], drawn.randint(0, 4))
        at = START + drawn.randint(0, 5) * 10**9  # many at the same moment
        return Flat(
            trace_id=f"{drawn.randint(1, 3):032x}", span_id=f"{drawn.randint(1, 400):016x}", parent_id=None,
            name=drawn.choice(["chat", "tool", ""]), start=at, end=at + n, failed=False, message=None, resource={},
            attributes={"gen_ai.operation.name": "chat", **{k: drawn.choice(values) for k in keys}}, events=[],
        )  # fmt: skip

    unequal = {f["span_id"]: f for f in map(flat, range(300))}  # of two with one id either may stay
    insert(server, unequal.values())
    assert list(backend(server)[0].read(WINDOW)) == list(backend(server, whole=True)[0].read(WINDOW))


def test_what_is_no_utf8_is_counted_as_often_as_it_stands_there(server: ClickHouseStandIn) -> None:
    put(server, conversation(1, 5))
    server.query(
        b"INSERT INTO otel_traces SELECT * REPLACE (repeat('0', 31) || '2' AS TraceId, "
        b"mapApply((k, v) -> (k, replaceOne(v, 'Question 1', unhex('63616601'))), SpanAttributes) AS SpanAttributes) "
        b"FROM otel_traces".replace(b"63616601", b"636166C3")
    )
    (own, _), (plain, _) = backend(server), backend(server, whole=True)
    assert list(own.read(WINDOW)) == list(plain.read(WINDOW))
    assert own.losses["invalid_utf8"] == plain.losses["invalid_utf8"] == 5


# ---------------------------------------------------------------- whose traces


def test_of_other_agents_only_their_names_move(server: ClickHouseStandIn) -> None:
    put(server, conversation(1, 10, gen_ai__agent__name="support"))
    put(server, *(conversation(n, 10, gen_ai__agent__name="billing") for n in range(2, 12)))
    spec = an_agent_spec(agentName="support")
    (own, sent), (plain, all_of_it) = backend(server, "support"), backend(server)
    found, wanted = collect(own, WINDOW, spec), collect(plain, WINDOW, spec)
    assert found.traces.equals(wanted.traces) and found.steps.equals(wanted.steps)
    assert found.messages.equals(wanted.messages) and found.traces.num_rows == 1
    assert found.losses["other_agent"] == wanted.losses["other_agent"] == 10
    assert found.seen.agents == wanted.seen.agents == {"support": 1, "billing": 10}
    assert sent.bytes < all_of_it.bytes / 4


@pytest.mark.parametrize(
    ("attributes", "service"),
    [
        ({"gen_ai__agent__name": "support"}, None),
        ({"agent__name": "support"}, None),
        ({"traceloop__workflow__name": "support"}, None),
        ({}, "support"),
    ],
)
def test_every_place_of_an_agents_name_is_looked_at(
    server: ClickHouseStandIn, attributes: dict[str, Any], service: str | None
) -> None:
    one = conversation(1, 2, **attributes)
    if service:
        one["resourceSpans"][0]["resource"] = {
            "attributes": [{"key": "service.name", "value": {"stringValue": service}}]
        }
    put(server, one)
    opened, _ = backend(server, "support")
    (found,) = opened.read(WINDOW)
    assert found.agent == "support" and len(found.steps) == 3


def test_spans_of_the_hours_around_that_belong_to_no_trace_of_the_window_stay_where_they_are(
    server: ClickHouseStandIn,
) -> None:
    put(server, conversation(1, 3))
    before, sent = backend(server)
    list(before.read(WINDOW))
    later, nothing = backend(server)
    assert list(later.read(Window(START + HOUR, START + 2 * HOUR))) == []
    assert nothing.bytes < 300 < sent.bytes, "the names of the columns alone"
    assert not +later.losses


def test_rows_of_others_fit_into_the_table(server: ClickHouseStandIn) -> None:
    put(server, conversation(1, 1, gen_ai__agent__name="billing"))
    (other,) = backend(server, "support")[0].read(WINDOW)
    assert isinstance(other, TraceRecord) and not other.steps
    assert tabulate([other], an_agent_spec(), Counter()).traces.num_rows == 1
