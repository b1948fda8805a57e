"""What a server of version 2 does that newer ones do not, by the answers of a running 2.95 and by its sources."""

from collections import deque
from typing import Any

import pytest
from langfuse_clients import ALL_TIME, Wire, a_trace, shape, whole

from ninefold.traces import TracesProblem
from ninefold.traces.langfuse.rows import current
from standins.langfuse import Answer, Project, StandIn, ingest

TRACES = "/api/public/traces"


def older(*lines: str) -> Project:
    """A project whose rows lack what version 2 does not know."""
    project = ingest(lines)
    for row in (*project.traces, *project.observations_v1):
        del row["environment"]
    return project


def test_traces_of_a_server_without_environments_have_none() -> None:
    (record,) = Wire(StandIn(older(a_trace(1)), "v2")).backend().read(ALL_TIME)
    assert record.environment is None


def test_a_server_without_environments_is_not_asked_for_one_in_vain() -> None:
    """It ignores the parameter, as every one that it does not know, and would give the traces of all environments."""

    class Ignoring(StandIn):
        def answer(self, request: Any) -> Answer:
            request.pairs[:] = [(k, v) for k, v in request.pairs if k != "environment"]
            return super().answer(request)

    backend = Wire(Ignoring(older(a_trace(1)), "v2")).backend(environment="production")
    with pytest.raises(TracesProblem, match=r"leave langfuse\.environment out") as told:
        list(backend.read(ALL_TIME))
    assert told.value.reason == "NoEnvironments"


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"unit": "TOKENS", "input": 3, "output": 4, "total": 7}, {"input": 3, "output": 4}),
        ({"unit": "CHARACTERS", "input": 300, "output": 400, "total": 700}, None),
        ({"unit": None, "input": 0, "output": 0, "total": 0}, None),
        (None, None),
    ],
)
def test_only_tokens_are_tokens(usage: Any, counted: Any) -> None:
    assert current({"usage": usage})["usageDetails"] == counted


def test_rows_that_come_while_pages_are_read_are_neither_lost_nor_doubled() -> None:
    """The newest stand first, so what comes meanwhile moves rows onto the next page, where they are seen again."""
    project = older(*(a_trace(n) for n in range(10)))
    late = ingest([a_trace(20)]).observations_v1

    class Growing(StandIn):
        def answer(self, request: Any) -> Answer:
            if request.path.endswith("/observations") and len(self.asked) > 6 and late:
                self.project.observations_v1.append({**late.pop(), "traceId": f"{1:032x}"})
            return super().answer(request)

    backend = Wire(Growing(project, "v2")).backend(pageSize=8)
    found = dict(shape(backend))
    assert found.keys() == dict(whole(*range(10))).keys()
    assert all(found[name] == 5 for name in found if name != f"{1:032x}")
    assert backend.losses["duplicate_observations"] > 0


def test_an_observation_without_a_trace_and_scores_of_sessions_are_counted() -> None:
    project = older(a_trace(1))
    project.observations_v1.append({**project.observations_v1[0], "id": "alone", "traceId": None})
    score = {"id": "s", "name": "solved", "value": 1, "dataType": "NUMERIC", "source": "API", "traceId": None}
    project.scores_v1.append(score | {"timestamp": "2026-01-01T00:00:00.000Z", "sessionId": "s-1"})
    backend = Wire(StandIn(project, "v2")).backend()
    assert shape(backend) == whole(1)
    assert (backend.losses["observations_without_trace"], backend.losses["scores_without_trace"]) == (1, 1)


def test_a_span_that_is_still_running_has_no_length() -> None:
    project = older(a_trace(1, calls=1))
    for row in project.observations_v1:
        row["endTime"] = None
    (record,) = Wire(StandIn(project, "v2")).backend().read(ALL_TIME)
    assert all(s.end_ts == s.start_ts for s in record.steps)


def test_a_row_that_nests_deeper_than_json_can_be_read_costs_itself_alone() -> None:
    project = older(*(a_trace(n) for n in range(4)))
    deep = "[" * 50_000 + "]" * 50_000

    class Deep(Wire):
        def __call__(self, request: Any) -> Any:
            response = super().__call__(request)
            if b"question 2" in response.content and request.url.path.endswith("/observations"):
                content = response.content.replace(b'"question 2"', deep.encode())
                return type(response)(200, content=content, headers={"Content-Type": "application/json"})
            return response

    backend = Deep(StandIn(project, "v2")).backend()
    found = dict(shape(backend))
    assert {k: n for k, n in found.items() if k != f"{3:032x}"} == dict(whole(0, 1, 3))
    assert found[f"{3:032x}"] == 3, "its two turns cannot be read, agent and tools can"
    assert backend.losses["oversized_rows"] == 2


def test_a_page_of_html_in_the_middle_is_somebody_else_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(StandIn(older(a_trace(1)), "v2"))
    backend = wire.backend(api="V1")
    assert shape(backend) == whole(1)
    wire.stand_in.faults = deque([Answer(200, {"data": []}), Answer(200, "<html>maintenance</html>")])
    with pytest.raises(TracesProblem) as told:
        list(wire.backend(api="V1").read(ALL_TIME))
    assert told.value.reason == "NotLangfuse"
