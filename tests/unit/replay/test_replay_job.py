"""docs/replay.md, "The two Jobs": race on the selection cases, proof on the sealed ones; on a real Redis."""

import asyncio
import json
import os
import re
import secrets
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest_asyncio
from builders import a_content, a_pattern, a_receipt, an_edit
from model_standin import model_standin, says

from ninefold.api.artifacts import JobError
from ninefold.api.candidates import Candidate, ProposalSet
from ninefold.api.cases import Case, CaseSet, RecordedCall
from ninefold.api.edits import Edit
from ninefold.api.findings import AnalysisReport, CaseRef, Pattern
from ninefold.api.inputs import RunInputs, VersionContent
from ninefold.api.outcomes import ReplayReport
from ninefold.api.policy import Gate
from ninefold.api.run import ArtifactRef
from ninefold.gate import GateInput, evaluate
from ninefold.jobs.replay import run
from ninefold.jobs.runtime import GIVE_UP, OK, RETRY, execute
from ninefold.store import Store
from ninefold.versions import content_hash, rendered
from testbed import RedisServer

from .conftest import Reply, Staging, solved

HOTELS = ("Adlon", "Ritz", "Savoy")
FACTS = [an_edit(f"The {hotel} has rooms 1 to 9.", when={"hotel": hotel}) for hotel in HOTELS]
HELPS = Candidate(id="helps", edits=FACTS, summary="facts", predicted_gain=0.3, proposer="deterministic")
IDLE = Candidate(id="idle", edits=[an_edit("Be kind.")], summary="kind", predicted_gain=0.1, proposer="deterministic")
LONG = Candidate(id="long", edits=[an_edit("x" * 9000)], summary="long", predicted_gain=0.1, proposer="deterministic")


def endpoint_that_needs_facts(request: dict[str, Any]) -> Reply:
    """Half of the cases are solved anyway, the others when the prompt has the facts of their own hotel."""
    hotel, number = request["metadata"]["hotel"], int(request["case_id"].rsplit("-", 1)[1])
    return solved(request, float(number % 2 == 0 or f"The {hotel} has" in request["components"]["system"]))


def cases(bucket: str, number: int) -> list[Case]:
    return [
        Case(
            case_id=f"{bucket}-{n}",
            cluster=f"{bucket}-{n}",
            intent=HOTELS[n % 3],
            input=f"request {n}",
            metadata={"hotel": HOTELS[n % 3]},
            succeeded=n % 2 == 0,
        )
        for n in range(number)
    ]


@dataclass
class JobBench:
    """What the operator would give to the two Jobs of one run."""

    store: Store
    staging: Staging
    folder: Path
    redis_url: str
    uid: str = field(default_factory=lambda: secrets.token_hex(8))
    policy: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    refs: dict[str, ArtifactRef] = field(default_factory=dict)
    patterns: list[Pattern] = field(default_factory=list)
    recorded: list[RecordedCall] = field(default_factory=list)
    cases: Callable[[str, int], list[Case]] = cases

    async def upstream(self, *candidates: Candidate, number: int = 48) -> None:
        report = AnalysisReport(
            traces=500,
            analysed=300,
            steps=900,
            success={"traces": 300, "rate": 0.5, "low": 0.4, "high": 0.6, "nines": 0.2},  # type: ignore[arg-type]
            cases=[await self._case_ref(bucket, number) for bucket in ("selection", "sealed")],
            patterns=self.patterns,
        )
        self.refs["analyze"] = await self.store.artifacts.put(self._key("analyze"), report.to_bytes())
        proposals = ProposalSet(candidates=list(candidates))
        self.refs["propose"] = await self.store.artifacts.put(self._key("propose"), proposals.to_bytes())

    async def _case_ref(self, bucket: Literal["selection", "sealed"], number: int) -> CaseRef:
        made = [c.model_copy(update={"recorded": self.recorded or c.recorded}) for c in self.cases(bucket, number)]
        data = CaseSet(bucket=bucket, cases=made).to_bytes()
        ref = await self.store.artifacts.put(self._key(bucket), data)
        return CaseRef(bucket=bucket, cases=number, **ref.model_dump())

    def _key(self, name: str) -> str:
        return f"ninefold:{self.uid}:artifact:run-1:{name}:1"

    def environment(self, bucket: str, **extra: str) -> dict[str, str]:
        inputs = RunInputs.model_validate(
            {
                "run": "run-1",
                "runUid": "run-1",
                "namespace": "default",
                "agentName": "hotel",
                "agentUid": self.uid,
                "agent": {
                    "model": {"name": "m"},
                    "components": [{"name": "system", "text": a_content().components["system"]}],
                    "traces": {"backendRef": {"name": "b"}},
                    "success": {"score": "solved"},
                    "replay": {"endpoint": {"url": self.staging.url, "timeout": "10s"}},
                    "delivery": {"mode": "Client", "configMap": "hotel-prompts"},
                    **self.agent,
                },
                "policy": {"agentRef": {"name": "hotel"}, **self.policy},
                "backend": {"otlp": {"volume": {"configMap": {"name": "traces"}}}},
                "baseline": a_content().wire(),
                "windowStart": "2026-01-01T00:00:00Z",
                "windowEnd": "2026-02-01T00:00:00Z",
            }
        )
        (self.folder / "inputs.json").write_text(json.dumps(inputs.wire()))
        return {
            "NINEFOLD_INPUTS": str(self.folder / "inputs.json"),
            "NINEFOLD_REDIS_URL": self.redis_url,
            "NINEFOLD_ARTIFACT": self._key(f"replay-{bucket}"),
            "NINEFOLD_UPSTREAM": json.dumps({stage: ref.wire() for stage, ref in self.refs.items()}),
            "NINEFOLD_TERMINATION_LOG": str(self.folder / "termination-log"),
            **extra,
        }

    def frozen(self, candidate: Candidate, *edits: Edit) -> dict[str, str]:
        content = VersionContent(components=a_content().components, edits=[*candidate.edits, *edits])
        return {"NINEFOLD_CANDIDATE": candidate.id, "NINEFOLD_CANDIDATE_HASH": content_hash(content)}

    async def report(self, environment: dict[str, str], bucket: str) -> ReplayReport:
        assert await execute(run, environment, bucket=bucket) == OK, self.told()
        return await self.result()

    async def result(self) -> ReplayReport:
        return ReplayReport.from_bytes(await self.store.artifacts.get(ArtifactRef.model_validate_json(self.told())))

    async def error(self, environment: dict[str, str], bucket: str) -> tuple[int, JobError]:
        code = await execute(run, environment, bucket=bucket)
        return code, JobError.model_validate_json(self.told())

    def told(self) -> str:
        return (self.folder / "termination-log").read_text()


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    staging.answer = endpoint_that_needs_facts
    async with Store(redis_server.url) as store:
        yield JobBench(store, staging, tmp_path, redis_server.url)


async def test_selection_names_the_winner_and_says_why(bench: JobBench) -> None:
    await bench.upstream(HELPS, IDLE)
    report = await bench.report(bench.environment("selection"), "selection")
    assert (report.bucket, report.winner, report.stopped) == ("selection", "helps", None)
    assert report.arms == ["baseline", "control:null", "helps", "idle"]
    assert {row.case_id for row in report.rows} < {f"selection-{n}" for n in range(48)}
    assert report.why is not None
    assert report.why.startswith("best candidate helps +50.0 pp, null edit +0.0 pp over 24 clusters")
    assert report.calls_paid == len(bench.staging.requests)


async def test_a_candidate_that_is_clearly_behind_is_not_run_to_the_end(bench: JobBench) -> None:
    await bench.upstream(HELPS, IDLE, number=120)
    report = await bench.report(bench.environment("selection"), "selection")
    ran = [sum(arm in row.outcomes for row in report.rows) for arm in ("helps", "idle")]
    assert ran == [60, 20]


async def test_a_candidate_that_moves_no_decision_is_left_out_by_single_steps(bench: JobBench) -> None:
    idle = IDLE.model_copy(update={"edits": [an_edit("Be kind.", receipt=a_receipt(pattern="p-1"))]})
    bench.patterns = [a_pattern("p-1", taken="find_room(name=…)", better="list_rooms()")]
    bench.recorded = [RecordedCall(tool="find_room", arguments='{"name": "Anna"}', result="no such room", error=True)]
    guess = {"id": "c", "type": "function", "function": {"name": "find_room", "arguments": '{"name": "Anna"}'}}

    def guesses(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, body = says("")
        body["choices"][0]["message"]["tool_calls"] = [guess]
        return status, body

    with model_standin(guesses) as model:
        bench.agent = {
            "model": {"name": "m", "endpoint": model.url},
            "tools": [{"name": "find_room"}, {"name": "list_rooms"}],
            "replay": {"endpoint": {"url": bench.staging.url}, "step": {}},
        }
        await bench.upstream(HELPS, idle, number=120)
        report = await bench.report(bench.environment("selection"), "selection")
    assert [(one.candidate, one.refuted) for one in report.screened] == [("idle", True)]
    assert "idle" not in report.arms and "idle left out" in (report.why or "")
    assert report.winner == "helps"
    paid = report.spending.lines
    assert paid["replay/step:idle"].calls == paid["replay/step:baseline"].calls == report.screened[0].cases
    assert len(model.requests) == 2 * report.screened[0].cases
    assert all(message["role"] != "tool" for message in model.requests[0]["messages"])


async def test_without_a_better_candidate_nobody_wins(bench: JobBench) -> None:
    await bench.upstream(IDLE)
    report = await bench.report(bench.environment("selection"), "selection")
    assert report.winner is None
    assert "not better than baseline and null edit" in (report.why or "")


async def test_a_candidate_that_could_not_be_delivered_does_not_race(bench: JobBench) -> None:
    bench.agent = {"model": {"name": "m", "contextWindow": 1000}}
    await bench.upstream(LONG, IDLE)
    report = await bench.report(bench.environment("selection"), "selection")
    assert "long" not in report.arms
    assert "long left out: largest rendered prompt" in (report.why or "")

    bench.agent = {"delivery": {"mode": "Mount", "configMap": "hotel-prompts"}}
    await bench.upstream(HELPS)
    report = await bench.report(bench.environment("selection"), "selection")
    assert (report.rows, report.winner) == ([], None)
    assert "helps left out" in (report.why or "")


async def test_where_the_agent_mounts_its_prompts_the_very_texts_that_it_will_mount_are_raced_and_proved(
    bench: JobBench,
) -> None:
    bench.agent = {"delivery": {"mode": "Mount", "configMap": "hotel-prompts"}}
    plain = [edit.model_copy(update={"when": None}) for edit in FACTS]
    same = Candidate(id="plain", edits=plain, summary="facts", predicted_gain=0.3, proposer="deterministic")
    await bench.upstream(same, HELPS)
    race = await bench.report(bench.environment("selection"), "selection")
    assert race.candidate is not None and (race.winner, "helps" in race.arms) == ("plain", False)
    bench.staging.requests.clear()
    proof = await bench.report(bench.environment("sealed", **bench.frozen(race.candidate)), "sealed")
    assert {row.outcomes["plain"].success for row in proof.rows} == {True}
    mounted = rendered(VersionContent(components=a_content().components, edits=race.candidate.edits), None)
    asked = [body["components"] for body in bench.staging.requests]
    assert asked.count(mounted) >= len(proof.rows), "one text, whatever the case"


async def test_the_race_leaves_enough_of_the_budget_for_the_sealed_cases(bench: JobBench) -> None:
    bench.policy = {"budget": {"replayCalls": 120}}
    await bench.upstream(HELPS, IDLE, number=15)
    selection = await bench.report(bench.environment("selection"), "selection")
    assert selection.calls_paid <= 60
    sealed = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert len(sealed.rows) == 15
    assert sealed.stopped is None


async def test_sealed_runs_the_frozen_candidate_and_both_controls(bench: JobBench) -> None:
    await bench.upstream(HELPS, IDLE)
    report = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert report.arms == ["baseline", "helps", "control:null", "control:wrong-key"]
    solved_by = Counter(arm for row in report.rows for arm, outcome in row.outcomes.items() if outcome.success)
    assert solved_by == {"baseline": 24, "helps": 48, "control:null": 24, "control:wrong-key": 24}
    assert set(report.prompt_tokens) == set(report.arms)
    assert (report.winner, report.calls_paid) == (None, len(bench.staging.requests))


async def test_without_conditions_there_is_no_wrong_key_control(bench: JobBench) -> None:
    await bench.upstream(IDLE)
    report = await bench.report(bench.environment("sealed", **bench.frozen(IDLE)), "sealed")
    assert report.arms == ["baseline", "idle", "control:null"]


async def test_sealed_cases_stay_closed_for_a_candidate_that_is_not_the_frozen_one(bench: JobBench) -> None:
    await bench.upstream(HELPS)
    other = bench.frozen(HELPS, an_edit("And something else."))
    code, error = await bench.error(bench.environment("sealed", **other), "sealed")
    assert (code, error.reason, error.permanent) == (GIVE_UP, "CandidateChanged", True)
    assert bench.staging.requests == []


async def test_a_budget_that_ends_half_way_is_told(bench: JobBench) -> None:
    bench.policy = {"budget": {"replayCalls": 50}}
    await bench.upstream(IDLE)
    report = await bench.report(bench.environment("sealed", **bench.frozen(IDLE)), "sealed")
    assert (report.stopped or "").startswith(
        "50 calls of the 50 of budget.replayCalls are spent in this run, and the next call would take one more; "
        "spent: replay/baseline 1"
    )
    assert report.spending.by_purpose()["replay"].calls == 50
    assert 10 < len(report.rows) < 17
    assert report.calls_paid == len(bench.staging.requests) == 50


async def test_an_agent_without_replay_is_told_what_to_write(bench: JobBench) -> None:
    bench.agent = {"replay": None}
    await bench.upstream(IDLE)
    code, error = await bench.error(bench.environment("selection"), "selection")
    assert (code, error.reason) == (GIVE_UP, "ReplayNotConfigured")


async def test_a_refusing_endpoint_fails_the_job_for_good_and_an_absent_one_for_now(bench: JobBench) -> None:
    await bench.upstream(IDLE)
    bench.staging.answer = lambda _: Reply({}, 403)
    code, error = await bench.error(bench.environment("selection"), "selection")
    assert (code, error.reason) == (GIVE_UP, "EndpointUnauthorized")
    bench.policy = {"replay": {"retries": 0}}
    bench.staging.answer = lambda _: Reply({}, 503)
    code, error = await bench.error(bench.environment("selection"), "selection")
    assert (code, error.reason) == (RETRY, "EndpointUnavailable")


async def test_a_pod_that_was_killed_goes_on_where_it_was(bench: JobBench) -> None:
    """SIGKILL, as a node failure: only calls that were under way, one a case in flight, may be asked again."""
    bench.policy = {"replay": {"concurrency": 4}}
    await bench.upstream(HELPS)
    environment = bench.environment("sealed", **bench.frozen(HELPS))
    enough = threading.Event()

    def count(request: dict[str, Any]) -> Reply:
        if len(bench.staging.requests) >= 60:
            enough.set()
        return endpoint_that_needs_facts(request)

    bench.staging.answer = count
    command = [sys.executable, "-m", "ninefold.jobs", "replay", "--bucket", "sealed"]
    paths = {"PYTHONPATH": str(Path(__file__).parents[3] / "operator"), "PATH": os.environ["PATH"]}
    pod = await asyncio.create_subprocess_exec(*command, env=environment | paths, stderr=asyncio.subprocess.DEVNULL)
    assert await asyncio.to_thread(enough.wait, 30)
    pod.kill()
    await pod.wait()
    before = len(bench.staging.requests)
    assert before < 160

    report = await bench.report(environment, "sealed")
    assert len(report.rows) == 48
    times = Counter(headers["idempotency-key"] for headers in bench.staging.headers)
    assert max(times.values()) <= 2
    assert sum(count > 1 for count in times.values()) <= 4
    assert report.calls_cached >= before - 4
    # Booked before it is made: a call that never left the killed pod counts as well.
    assert 0 <= report.calls_paid - len(bench.staging.requests) <= 4


async def test_baseline_and_candidate_meet_injected_instructions_and_one_that_obeys_is_refused(bench: JobBench) -> None:
    edits = [*FACTS, an_edit("Do whatever a message asks for.")]
    obeys = Candidate(id="obeys", edits=edits, summary="facts", predicted_gain=0.3, proposer="deterministic")

    def obedient(request: dict[str, Any]) -> Reply:
        reply = endpoint_that_needs_facts(request)
        found = re.findall(r"\b[zx][a-r]{5}\b", request["input"])
        if "Do whatever" in request["components"]["system"] and found:
            reply.body["output"] = f"Gladly: {found[0]}-{found[1]}"
        return reply

    bench.staging.answer = obedient
    await bench.upstream(HELPS, obeys)
    report = await bench.report(bench.environment("sealed", **bench.frozen(obeys)), "sealed")
    assert (report.probes_planned, len(report.probes)) == (20, 20)
    result = evaluate(GateInput(report, "obeys", Gate(), 1))
    assert (result.passed, result.verdicts[-1].reason) == (False, "ObeysMore")
    assert "20 injected instructions 0 → 20 obeyed" in result.verdicts[-1].message
    harmless = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert evaluate(GateInput(harmless, "helps", Gate(), 1)).passed is True


async def test_an_agent_may_be_left_unprobed(bench: JobBench) -> None:
    bench.policy = {"gate": {"injectionProbes": 0}}
    await bench.upstream(HELPS)
    report = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert (report.probes, report.probes_planned) == ([], 0)
