"""Reading a project: which API answers, pages, windows, and nothing lost or doubled on the way."""

import json
from collections import Counter, deque
from typing import Any

import pytest
from langfuse_clients import ALL_TIME, Wire, a_trace, shape, whole
from trace_builders import START, request, wire_span

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import TracesProblem, Window, open_backend
from ninefold.traces.langfuse.pages import by_cursor, by_number
from ninefold.traces.langfuse.rows import Row
from standins.langfuse import Answer, Project, StandIn, ingest
from standins.langfuse.answers import Generation

GENERATIONS: list[Generation] = ["v4", "v3", "v2"]


def a_wire(generation: Generation, *lines: str, **stand_in: Any) -> Wire:
    return Wire(StandIn(ingest(lines), generation, **stand_in))


# ------------------------------------------------------------------ which API


@pytest.mark.parametrize(
    ("generation", "api", "found"),
    [
        ("v4", "Auto", "Langfuse API V4, server 4.16.0"),
        ("v4", "V4", "Langfuse API V4, server 4.16.0"),
        ("v3", "Auto", "Langfuse API V1, server 3.150.0"),
        ("v2", "Auto", "Langfuse API V1, server 2.95.12"),
        ("v2", "V1", "Langfuse API V1, server 2.95.12"),
    ],
)
def test_the_probe_chooses_the_generation_and_says_so(generation: Generation, api: str, found: str) -> None:
    capabilities = a_wire(generation, a_trace(1), a_trace(2)).backend(api=api).probe()
    assert capabilities.api == found
    assert (capabilities.traces, capabilities.agents, capabilities.metadata_keys) == (2, ["guide"], ["app.task"])


@pytest.mark.parametrize(
    ("generation", "api", "reason", "says"),
    [
        ("v3", "V4", "ApiNotServed", "only available in a Langfuse v4 write mode"),
        ("v2", "V4", "ApiNotServed", "older than Langfuse 4"),
        ("v4", "V1", "ApiNotServed", "serves neither generation of reads by its configuration"),
    ],
)
def test_an_api_that_is_not_served_is_told_with_the_servers_reason(
    generation: Generation, api: str, reason: str, says: str
) -> None:
    with pytest.raises(TracesProblem) as told:
        a_wire(generation, a_trace(1)).backend(api=api).probe()
    assert told.value.reason == reason
    assert says in told.value.message


def test_a_server_that_is_no_langfuse_is_told_as_such() -> None:
    html = Answer(404, "<html>Not Found</html>")
    with pytest.raises(TracesProblem) as told:
        a_wire("v4", faults=deque([html, html])).backend().probe()
    assert told.value.reason == "NotLangfuse"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_empty_project_has_no_traces(generation: Generation) -> None:
    backend = Wire(StandIn(Project(), generation)).backend()
    assert backend.probe().traces == 0
    assert list(backend.read(ALL_TIME)) == []


def test_a_probe_names_scores_of_traces_that_it_did_not_look_at() -> None:
    project = ingest(a_trace(n) for n in range(20))
    subject = {"kind": "trace", "id": f"{1:032x}"}  # the oldest
    score = {"id": "s", "name": "helpful", "dataType": "NUMERIC", "source": "ANNOTATION", "value": 1}
    project.scores.append({**score, "subject": subject, "timestamp": "2026-01-01T00:00:00.000Z"})
    assert Wire(StandIn(project)).backend(pageSize=5).probe().scores == ["helpful"]


def test_a_probe_looks_at_the_newest_part_only() -> None:
    wire = a_wire("v4", *(a_trace(n) for n in range(20)))
    assert 1 < wire.backend(pageSize=5).probe().traces < 20


def test_a_pod_without_the_keys_is_told_which_secret_is_missing() -> None:
    key = {"name": "langfuse", "key": "k"}
    spec = {"host": "https://lf.example.com", "publicKeySecretRef": key, "secretKeySecretRef": key}
    with pytest.raises(TracesProblem) as told:
        open_backend(TraceBackendSpec.model_validate({"langfuse": spec}), None, {"NINEFOLD_LANGFUSE_PUBLIC_KEY": "pk"})
    assert told.value.reason == "NoKeys"
    assert "NINEFOLD_LANGFUSE_SECRET_KEY" in told.value.message


# ------------------------------------------------------------------ windows


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_trace_belongs_to_the_window_that_holds_its_start(generation: Generation) -> None:
    wire = a_wire(generation, *(a_trace(n) for n in range(4)))
    cut = START + 2 * 60 * 10**9
    assert shape(wire.backend(), Window(START, cut)) == whole(0, 1)
    assert shape(wire.backend(), Window(cut, ALL_TIME.end)) == whole(2, 3)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_trace_is_whole_although_the_window_ends_within_it(generation: Generation) -> None:
    wire = a_wire(generation, a_trace(0, calls=4))
    assert shape(wire.backend(), Window(START, START + 10**9)) == whole(0, steps=9)
    assert shape(wire.backend(), Window(START + 10**9, ALL_TIME.end)) == []


def test_windows_that_touch_within_a_millisecond_share_nothing() -> None:
    project = ingest([a_trace(0)])
    cut = START + 500_000  # the stand-in keeps milliseconds, so the trace starts before it
    for generation in GENERATIONS:
        first = shape(Wire(StandIn(project, generation)).backend(), Window(ALL_TIME.start, cut))
        second = shape(Wire(StandIn(project, generation)).backend(), Window(cut, ALL_TIME.end))
        assert first + second == whole(0)


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_only_the_environment_that_is_named_is_read(generation: Generation) -> None:
    staging = json.dumps(
        request(wire_span(0, trace=9, status={}, gen_ai__operation__name="chat"), environment="staging")
    )
    backend = a_wire(generation, a_trace(1), staging).backend(environment="staging")
    assert [r.environment for r in backend.read(ALL_TIME)] == ["staging"]


def test_langfuses_own_traces_are_counted_and_left_out() -> None:
    judge = json.dumps(request(wire_span(0, trace=9, status={}), environment="langfuse-llm-as-a-judge"))
    backend = a_wire("v4", a_trace(1), judge).backend()
    assert shape(backend) == whole(1)
    assert backend.losses["internal_traces"] == 1


# ------------------------------------------------------------------ pages


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_of_any_size_give_the_same_traces(generation: Generation, size: int) -> None:
    wire = a_wire(generation, *(a_trace(n) for n in range(5)))
    assert shape(wire.backend(pageSize=size)) == whole(*range(5))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_pages_shrink_until_the_server_delivers_them(generation: Generation) -> None:
    wire = a_wire(generation, *(a_trace(n) for n in range(6)), largest=6_000)
    backend = wire.backend()
    assert shape(backend) == whole(*range(6))
    assert not backend.losses["oversized_rows"]
    sizes = [int(a.query("limit") or 0) for a in wire.stand_in.asked if a.path.endswith("/observations")]
    assert max(sizes) > 60
    assert 1 < sizes[-1] < 10, "the last page was one that fits"


def test_a_row_too_large_even_alone_is_read_without_its_content_from_version_4() -> None:
    huge = a_trace(1, gen_ai__input__messages="x" * 50_000)
    backend = a_wire("v4", a_trace(0), huge, a_trace(2), largest=20_000).backend()
    assert shape(backend) == whole(0, 1, 2)
    assert backend.losses["oversized_rows"] == 1


def test_a_row_too_large_even_alone_is_skipped_and_counted_where_it_cannot_be_asked_for_in_part() -> None:
    project = ingest([a_trace(0), a_trace(1, gen_ai__input__messages="x" * 50_000), a_trace(2)])
    project.traces[1]["input"] = None  # the observation alone is too large
    backend = Wire(StandIn(project, "v3", largest=20_000)).backend()
    assert shape(backend) == [*whole(0), *whole(1, steps=4), *whole(2)]
    assert backend.losses["oversized_rows"] == 1


class Listing:
    """A server's list of n rows, of which each page above `most` rows is refused for a while."""

    def __init__(self, n: int, most: int, until: int) -> None:
        self.n, self.most, self.until, self.asked = n, most, until, list[int]()

    def answer(self, asked: Any) -> Answer:
        limit = int(asked.query("limit"))
        self.asked.append(limit)
        start = int(asked.query("cursor") or (int(asked.query("page") or 1) - 1) * limit)
        if limit > self.most and start < self.until:
            return Answer(413, {})
        rows = [{"id": n} for n in range(start, min(start + limit, self.n))]
        cursor = {"cursor": str(start + limit)} if start + limit < self.n else {}
        return Answer(200, {"data": rows, "meta": {"totalItems": self.n, **cursor}})


@pytest.mark.parametrize("pages", [by_cursor, by_number])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 500])
def test_pages_that_shrink_and_grow_neither_lose_nor_double_a_row(pages: Any, n: int) -> None:
    listing = Listing(n, most=9, until=200)
    wire = Wire(listing)  # type: ignore[arg-type]
    read: list[Row] = [row for page in pages(wire.client(), "/list", {}, 100, Counter()) for row in page]
    assert [row["id"] for row in read] == list(range(n))
    if n == 500:
        assert listing.asked[-1] > 9, "it grew again"


def test_a_cursor_that_leads_nowhere_ends_the_read() -> None:
    stuck = Answer(200, {"data": [], "meta": {"cursor": "same"}})
    with pytest.raises(TracesProblem, match="same cursor"):
        list(by_cursor(a_wire("v4", faults=deque([stuck] * 3)).client(), "/list", {}, 10, Counter()))


def test_a_broken_page_is_asked_for_again_where_it_stopped() -> None:
    wire = a_wire("v4", *(a_trace(n) for n in range(8)))
    backend = wire.backend(pageSize=10)
    read = backend.read(ALL_TIME)
    wire.stand_in.faults.extend([Answer(502, {}), Answer(429, {}, {"Retry-After": "3"})])
    assert sorted((r.trace_id, len(r.steps)) for r in read) == whole(*range(8))
    assert wire.pauses == [2, 3]


def test_more_rows_than_memory_holds_go_over_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.traces.spool.IN_MEMORY", 5_000)
    assert shape(a_wire("v4", *(a_trace(n) for n in range(8))).backend()) == whole(*range(8))


# ------------------------------------------------------------------ metadata, scores


def test_metadata_that_the_server_cuts_is_asked_for_in_full() -> None:
    long = "".join(f"{n} " for n in range(200))
    wire = a_wire("v4", *(a_trace(n, app__profile=long) for n in range(4)))
    backend = wire.backend(pageSize=5)
    assert {r.metadata["app.profile"] for r in backend.read(ALL_TIME)} == {long}
    named = [a for a in wire.stand_in.asked if a.query("expandMetadata")]
    pages = [a for a in wire.stand_in.asked if a.path.endswith("observations") and a.query("fields") != "core"]
    assert len(pages) - len(named) == 1, "only the first page was asked for without"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_scores_come_with_what_they_are_about(generation: Generation) -> None:
    project = ingest([a_trace(0)])
    at = "2026-01-01T00:00:00.000Z"  # an evaluator came months later
    own = {"projectId": "p", "name": "solved", "dataType": "NUMERIC", "source": "EVAL", "timestamp": at, "value": 1}
    trace, step = f"{1:032x}", f"{2:016x}"
    project.scores += [
        {**own, "id": "a", "subject": {"kind": "trace", "id": trace}},
        {**own, "id": "b", "subject": {"kind": "observation", "id": step, "traceId": trace}},
        {**own, "id": "c", "subject": {"kind": "session", "id": "s"}},
    ]
    project.scores_v1 += [
        {**own, "id": "a", "traceId": trace, "observationId": None},
        {**own, "id": "b", "traceId": trace, "observationId": step},
        {**own, "id": "c", "traceId": None, "sessionId": "s"},
    ]
    backend = Wire(StandIn(project, generation)).backend()
    (record,) = backend.read(ALL_TIME)
    assert [(s.name, s.value, s.step_id) for s in record.scores] == [("solved", 1.0, None), ("solved", 1.0, step)]
    assert backend.losses["scores_without_trace"] == 1
