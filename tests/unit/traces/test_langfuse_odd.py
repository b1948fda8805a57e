"""Content of a Langfuse project that is not what it should be: counted, and no reason to stop."""

import random
from itertools import pairwise

import pytest
from langfuse_clients import ALL_TIME, Wire, a_trace, shape, whole
from trace_builders import START, an_agent_spec, run_inputs

from ninefold.traces import Backend, TracesProblem, Window, check, collect
from ninefold.traces.langfuse.rows import Row
from standins.langfuse import Answer, Project, Request, StandIn, ingest
from standins.langfuse.answers import Generation


def odd(change: Row) -> Backend:
    """A project whose second observation, a model's turn, has these fields."""
    project = ingest([a_trace(0), a_trace(1)])
    project.observations[1] |= change
    return Wire(StandIn(project)).backend()


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        ({"input": None, "output": None}, "llm_without_content"),
        ({"endTime": "2020-01-01T00:00:00.000Z"}, "clock_skew"),
        ({"parentObservationId": f"{3:016x}"}, None),
        ({"input": "\ud800 half a pair", "output": '{"broken": '}, None),
        ({"metadata": {}, "usageDetails": "none", "level": None}, None),
        ({"parentObservationId": "gone"}, "orphan_spans"),
    ],
)
def test_odd_content_is_counted_and_the_trace_stays(change: Row, loss: str | None) -> None:
    table = collect(odd(change), ALL_TIME, an_agent_spec())
    assert table.traces.num_rows == 2
    assert table.steps.num_rows == 10
    if loss is not None:
        assert table.losses[loss] == 1


def test_parents_in_a_circle_are_cut() -> None:
    project = ingest([a_trace(0)])
    project.observations[0]["parentObservationId"] = project.observations[1]["id"]
    backend = Wire(StandIn(project)).backend()
    assert shape(backend) == whole(0)
    assert backend.losses["cyclic_parents"] == 1


def test_a_score_that_is_not_a_number_has_no_value() -> None:
    project = ingest([a_trace(0)])
    score = {
        "id": "s",
        "name": "solved",
        "dataType": "NUMERIC",
        "source": "API",
        "timestamp": "2026-01-01T00:00:00.000Z",
    }
    project.scores.append({**score, "subject": {"kind": "trace", "id": f"{1:032x}"}, "value": float("nan")})
    backend = Wire(StandIn(project)).backend()
    (record,) = backend.read(ALL_TIME)
    assert record.scores[0].value is None
    assert backend.losses["scores_without_number"] == 1


def test_a_trace_larger_than_any_agents_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.traces.langfuse.backend.MAX_TRACE", 5_000)
    project = ingest([a_trace(0), a_trace(1, gen_ai__input__messages="x" * 5_000)])
    backend = Wire(StandIn(project)).backend()
    assert shape(backend) == whole(0)
    assert backend.losses["oversized_traces"] == 1


def test_a_window_without_a_trace_is_told_with_what_to_check() -> None:
    table = collect(Wire(StandIn(Project())).backend(), ALL_TIME, an_agent_spec())
    backend = {"langfuse": {"host": "https://langfuse.example.com"}}
    inputs = run_inputs().model_validate({**run_inputs().wire(), "backend": backend})
    with pytest.raises(TracesProblem, match="check that the keys are those of the agent's project"):
        check(table, inputs)


# ------------------------------------------------------------------ interruption


class Killed(BaseException):
    """The pod is gone."""


class Mortal(StandIn):
    """A stand-in during whose n-th request the reading pod is killed."""

    def answer(self, request: Request) -> Answer:
        if len(self.asked) == self.dies_at:
            raise Killed
        return super().answer(request)

    dies_at = -1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_a_read_that_was_killed_and_begun_again_loses_and_doubles_nothing(generation: Generation, seed: int) -> None:
    """A slice of the window that was read is done; the one under way is read again, by a new process."""
    project = ingest(a_trace(n) for n in range(12))
    edges = [START + n * 4 * 60 * 10**9 for n in range(3)] + [ALL_TIME.end]
    slices = [Window(since, until) for since, until in pairwise(edges)]
    server = Mortal(project, generation)
    server.dies_at = random.Random(seed).randrange(12)
    done: list[tuple[str, int]] = []
    while slices:
        try:
            found = shape(Wire(server).backend(pageSize=8), slices[0])
        except Killed:
            server.dies_at = -1
            continue
        done += found
        slices.pop(0)
    assert server.dies_at == -1, "it was killed"
    assert sorted(done) == whole(*range(12))
