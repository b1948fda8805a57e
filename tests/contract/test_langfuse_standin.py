"""The stand-in answers as Langfuse does: by its own API contract, and as a real server of version 2.95 answered.

`shared/data/langfuse-openapi.yml` is Langfuse's description of version 4, with the pages of v1 that version 3 still
serves. `shared/data/langfuse-2.95-responses` was recorded from a running server; the one about ingestion is not ours.
"""

import base64
import json
from collections import deque

import pytest
from langfuse_clients import ALL_TIME, SHARED, Contract, Wire, a_trace, shape, whole
from openapi_core.exceptions import OpenAPIError
from trace_builders import START

from ninefold.traces import TracesProblem, Window
from ninefold.traces.langfuse.rows import Row
from standins.langfuse import Answer, Project, Request, StandIn, ingest
from standins.langfuse.answers import PUBLIC_KEY, SECRET_KEY, Generation

pytestmark = pytest.mark.recorded

ANSWERS = SHARED / "data" / "langfuse-2.95-responses"
EQUAL = [
    *("health", "projects", "traces-page1", "traces-page2", "traces-page3", "traces-window", "traces-by-name-tag"),
    *("traces-empty", "scores-page1", "scores-page2", "scores-by-name", "observations-of-trace"),
    "observations-generation-window",
    *(f"prompt-{n}" for n in ("canary", "missing", "production", "version-2")),
    "prompts-list",
]
NEWEST = ["observations-page1", "observations-page2", "observations-page3"]
REFUSED = ["bad-limit", "bad-page", "trace-missing", "wrong-key"]
ABSENT = ["v2-observations-absent", "v3-scores-absent"]
ELSEWHERE = ["ingestion-bad"]


def answer(name: str) -> Row:
    found: Row = json.loads((ANSWERS / f"{name}.json").read_text())
    return found


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(SHARED / "data" / "langfuse-openapi.yml")


@pytest.fixture(scope="module")
def recorded() -> Project:
    """A project with the rows that the real server showed: all traces and scores, and the newest observations."""

    def rows(*names: str) -> list[Row]:
        found = {row["id"]: row for name in names for row in answer(name)["body"]["data"]}
        return list(found.values())

    observations = rows(*(f"observations-page{n}" for n in (1, 2, 3)), "observations-of-trace")
    observations += answer("observations-generation-window")["body"]["data"]
    listed = {row["name"]: row for row in answer("prompts-list")["body"]["data"]}
    prompts = [answer(f"prompt-{name}")["body"] for name in ("production", "version-2")]
    # Of the other prompt only the list was recorded.
    other = listed["p-17402"]
    rest = {"config": {}, "tags": [], "updatedAt": other["lastUpdatedAt"], "name": other["name"]}
    prompts += [{"version": n, "labels": [], **rest} for n in other["versions"]]
    prompts[-1]["labels"] = other["labels"]
    return Project(
        prompts=prompts,
        traces=rows(*(f"traces-page{n}" for n in (1, 2, 3))),
        observations_v1=list({row["id"]: row for row in observations}.values()),
        scores_v1=rows("scores-page1", "scores-page2"),
        id="proj1",
        name="Proj",
    )


def ask(project: Project, recording: Row) -> Answer:
    """What the stand-in answers to the request of a recording."""
    token = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
    key = "wrong" if "wrong key" in recording["request"] else token
    return StandIn(project, "v2").answer(Request(recording["request"].split()[1], f"Basic {key}"))


def test_every_recorded_answer_is_held_against_something() -> None:
    assert sorted([*EQUAL, *NEWEST, "trace-one", *REFUSED, *ABSENT, *ELSEWHERE]) == sorted(
        p.stem for p in ANSWERS.glob("*.json")
    )


@pytest.mark.parametrize("name", [*EQUAL, *REFUSED])
def test_the_stand_in_answers_what_the_real_server_answered(name: str, recorded: Project) -> None:
    recording = answer(name)
    found = ask(recorded, recording)
    assert (found.status, found.body) == (recording["status"], recording["body"])
    assert found.content_type == recording.get("content_type", found.content_type)


@pytest.mark.parametrize("name", NEWEST)
def test_the_stand_in_gives_the_same_page_of_the_newest_observations(name: str, recorded: Project) -> None:
    recording = answer(name)["body"]
    found = ask(recorded, answer(name)).body
    assert found["data"] == recording["data"]
    assert found["meta"].keys() == recording["meta"].keys(), "most of the 793 observations were not recorded"


def test_one_trace_comes_with_its_observations_and_scores(recorded: Project) -> None:
    recording, found = answer("trace-one")["body"], ask(recorded, answer("trace-one")).body
    assert found.keys() == recording.keys()
    for name, value in recording.items():
        if name in ("observations", "scores"):
            assert sorted(row["id"] for row in found[name]) == sorted(row["id"] for row in value)
        else:
            assert found[name] == value


@pytest.mark.parametrize("name", ABSENT)
def test_a_route_of_version_4_is_a_page_of_html_there(name: str, recorded: Project) -> None:
    recording, found = answer(name), ask(recorded, answer(name))
    assert (found.status, found.content_type) == (recording["status"], recording["content_type"])
    assert found.body.startswith(recording["body"][:30])


# ------------------------------------------------------------------ our reader, on what the real server answered


def test_our_reader_reads_every_recorded_trace(recorded: Project) -> None:
    backend = Wire(StandIn(recorded, "v2")).backend()
    records = {r.trace_id: r for r in backend.read(ALL_TIME)}
    assert records.keys() == {row["id"] for row in recorded.traces}
    assert not {name: n for name, n in backend.losses.items() if n and name not in ("not_genai", "orphan_spans")}
    assert {r.agent for r in records.values()} == {"sql-agent", "chat"}
    judged = {r.trace_id for r in records.values() if any(s.name == "solved" for s in r.scores)}
    assert judged == {row["traceId"] for row in recorded.scores_v1 if row["name"] == "solved"}


def test_a_recorded_trace_becomes_turns_and_the_tool_calls_that_they_asked_for(recorded: Project) -> None:
    one = answer("trace-one")["body"]
    record = next(r for r in Wire(StandIn(recorded, "v2")).backend().read(ALL_TIME) if r.trace_id == one["id"])
    assert [s.kind for s in record.steps] == ["llm", "tool"] * 10
    assert [s.tool_call_id for s in record.steps[1::2]] == [f"call_{n}" for n in range(10)]
    assert {s.tool_name for s in record.steps[1::2]} == {"execute_sql"}
    assert (record.session_id, record.agent_version, record.metadata) == (
        "task-0",
        "v1",
        {"app.task": 0, "app.database": "poker_player"},
    )
    failed = [s for s in record.steps if s.status == "error"]
    assert {s.error_signature for s in failed} == {"Error executing query: Table <str> doesn't exist"}
    assert record.cost_usd == pytest.approx(one["totalCost"])
    first = record.steps[0]
    assert (first.tokens_in, first.tokens_out, first.model) == (91, 20, "gpt-3.5-turbo")
    # Ten turns repeat the history; each message is stored once: system, question, ten calls, nine results.
    assert len({h for h, (_, role, _) in record.messages.items() if role == "assistant"}) == 9


# ------------------------------------------------------------------ Langfuse's own description


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_every_exchange_follows_langfuses_own_contract(generation: Generation, contract: Contract) -> None:
    lines = [a_trace(n, app__profile="x" * 300) for n in range(4)]
    wire = Wire(StandIn(ingest(lines), generation), contract)
    before = contract.checked
    backend = wire.backend(pageSize=7, environment="production")
    assert backend.probe().traces > 0
    assert shape(backend, Window(START, ALL_TIME.end)) == whole(*range(4))
    assert contract.checked - before == len(wire.stand_in.asked) > 10


@pytest.mark.parametrize(
    "fault", [Answer(401, {}), Answer(403, {}), Answer(404, {}), Answer(400, {}), Answer(405, {})], ids=str
)
def test_refusals_follow_langfuses_own_contract_too(fault: Answer, contract: Contract) -> None:
    with pytest.raises(TracesProblem):
        Wire(StandIn(Project(), "v4", faults=deque([fault] * 3)), contract).backend().probe()


def test_a_wrong_answer_would_be_noticed(contract: Contract) -> None:
    lacking = Answer(200, {"data": [{"id": "o", "traceId": "t"}], "meta": {}})
    with pytest.raises(OpenAPIError):
        Wire(StandIn(Project(), faults=deque([lacking])), contract).client().get("/api/public/v2/observations")


def test_a_wrong_request_would_be_noticed(contract: Contract) -> None:
    with pytest.raises(OpenAPIError):
        Wire(StandIn(Project()), contract).client().get("/api/public/v2/observations", {"limit": "many"})
