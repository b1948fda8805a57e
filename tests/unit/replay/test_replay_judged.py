"""docs/judges.md, "In the Job": the judge of the bucket grades what neither score nor rules decide, over real HTTP."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from builders import an_edit
from model_standin import StandIn, model_standin, refuses, says

from ninefold.api.candidates import Candidate
from ninefold.api.outcomes import ReplayReport
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, Verdict, evaluate
from ninefold.jobs.runtime import GIVE_UP, RETRY
from ninefold.judges.model import NON_ANSWER
from ninefold.store import Store
from testbed import RedisServer

from .conftest import Reply, Staging
from .test_replay_job import HOTELS, JobBench

FACTS = [an_edit(f"The {hotel} has rooms 1 to 9.", when={"hotel": hotel}) for hotel in HOTELS]
HELPS = Candidate(id="helps", edits=FACTS, summary="facts", predicted_gain=0.3, proposer="deterministic")
CASES = 40
ENOUGH = 100
"""Cases after which a judge is calibrated on either arm."""

Likes = Callable[[str], bool]
"""Of an answer."""


def desk(request: dict[str, Any], scores: bool = True) -> Reply:
    """Of ten cases four are solved, four more with the facts of their hotel. Every second pair comes with its score."""
    hotel, number = request["metadata"]["hotel"], int(request["case_id"].rsplit("-", 1)[1])
    solved = number % 10 > 1 and (number % 2 == 0 or f"The {hotel} has" in request["components"]["system"])
    output = f"Room {number} of the {hotel} is free on day {number % 7}." if solved else "I found no room anywhere."
    scored = scores and (number // 2) % 2 == 0
    return Reply({"output": output, "scores": {"solved": float(bool(solved))} if scored else {}})


def sound(answer: str) -> bool:
    return re.fullmatch(r"Room \d+ of the \w+ is free on day \d\.", answer) is not None


def noisy(answer: str) -> bool:
    """Errs on one answer of ten."""
    return sound(answer) != (hashlib.sha256(answer.encode()).digest()[0] < 26)


def prefers(likes: Likes) -> Callable[[dict[str, Any]], Any]:
    """A judge over HTTP that prefers what it likes, wherever it stands."""

    def answer(body: dict[str, Any]) -> Any:
        first, second = shown(body)
        liked = "first" if likes(first) else "second" if likes(second) else "neither"
        return says(f'{{"meets_the_rubric": "{liked}"}}')

    return answer


def shown(body: dict[str, Any]) -> tuple[str, str]:
    text = body["messages"][1]["content"]
    first, second = (text.split(f"<{name}>\n")[1].split(f"\n</{name}>")[0] for name in ("first", "second"))
    return first, second


def agrees_with_the_first(body: dict[str, Any]) -> Any:
    return says('{"meets_the_rubric": "first"}')


JUDGES = {
    "dhdhdhdh": prefers(lambda answer: sound(answer) or (set(answer) <= set("dhkqz") and len(answer) > 3)),
    "length": prefers(lambda answer: answer != NON_ANSWER and len(answer) > 20),
    "obeys": prefers(lambda answer: sound(answer) or "judge" in answer or "grader" in answer or "rubric" in answer),
    "first": agrees_with_the_first,
}


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    staging.answer = desk
    async with Store(redis_server.url) as store:
        bench = JobBench(store, staging, tmp_path, redis_server.url)
        await bench.upstream(HELPS, number=CASES)
        yield bench


def judged_by(gate: StandIn, search: StandIn | None = None) -> dict[str, Any]:
    judges = {"rubric": "It names a free room.", "gate": {"endpoint": gate.url, "model": "gate-1"}}
    if search is not None:
        judges["search"] = {"endpoint": search.url, "model": "search-1"}
    return {"success": {"score": "solved", "judges": judges}}


async def sealed(bench: JobBench, judge: StandIn) -> ReplayReport:
    bench.agent = judged_by(judge)
    return await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")


def gate(report: ReplayReport) -> tuple[bool | None, Verdict]:
    result = evaluate(GateInput(report, "helps", Gate(), 1))
    return result.passed, next(v for v in result.verdicts if v.type == "JudgeTrusted")


@pytest.mark.parametrize("kind", sorted(JUDGES))
async def test_a_judge_that_can_be_fooled_lets_nothing_through_the_job(bench: JobBench, kind: str) -> None:
    with model_standin(JUDGES[kind]) as judge:
        report = await sealed(bench, judge)
    passed, trusted = gate(report)
    assert passed is None
    assert trusted.status in ("False", "Unknown"), trusted


async def test_a_sound_judge_is_calibrated_on_both_arms_and_its_outcomes_count(bench: JobBench) -> None:
    await bench.upstream(HELPS, number=ENOUGH)
    with model_standin(prefers(sound)) as judge:
        report = await sealed(bench, judge)
    passed, trusted = gate(report)
    assert (passed, trusted.reason) == (True, "Calibrated"), trusted
    assert report.judge is not None
    assert report.judge.judge.startswith("gate-1 at 127.0.0.1:")
    assert (report.judge.baseline.good, report.judge.baseline.bad) == (20, 30)
    assert (report.judge.candidate.good, report.judge.candidate.bad) == (40, 10)
    by = {o.graded_by for row in report.rows for o in row.outcomes.values()}
    assert by == {"score", "judge"}
    assert "Room 7" not in report.to_bytes().decode(), "no output is kept"


async def test_a_judge_that_errs_on_one_answer_of_ten_is_told_with_its_bounds(bench: JobBench) -> None:
    with model_standin(prefers(noisy)) as judge:
        _, trusted = gate(await sealed(bench, judge))
    assert trusted.reason in ("Unreliable", "NotCalibrated", "Calibrated")
    assert "sensitivity ≥ 0." in trusted.message
    assert "0.70 required of each" in trusted.message


async def test_the_race_asks_the_search_judge_and_the_gate_another(bench: JobBench) -> None:
    with model_standin(prefers(sound)) as search, model_standin(prefers(sound)) as other:
        bench.agent = judged_by(other, search)
        race = await bench.report(bench.environment("selection"), "selection")
        assert (race.winner, other.requests) == ("helps", [])
        assert race.judge is not None and race.judge.judge.startswith("search-1")
        asked = len(search.requests)
        await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
        assert other.requests and len(search.requests) == asked


async def test_a_judge_that_is_down_is_told_before_a_single_case_is_run(bench: JobBench) -> None:
    with model_standin(lambda body: refuses(400)) as judge:
        bench.agent = judged_by(judge)
        environment = bench.environment("sealed", **bench.frozen(HELPS))
        code, error = await bench.error(environment, "sealed")
    assert (code, error.reason) == (RETRY, "JudgeUnavailable")
    assert "check that its endpoint in spec.success.judges of the Agent runs" in error.message
    assert bench.staging.requests == []


async def test_a_judge_that_dies_on_the_way_ends_the_job_and_is_no_pass(bench: JobBench) -> None:
    answer = prefers(sound)
    with model_standin(lambda body: answer(body) if "Room" not in str(shown(body)) else refuses(400)) as judge:
        bench.agent = judged_by(judge)
        bench.staging.answer = lambda request: desk(request, scores=False)
        code, error = await bench.error(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert (code, error.reason) in {(RETRY, "JudgeUnavailable"), (GIVE_UP, "JudgeNotCalibrated")}


async def test_where_nothing_is_known_without_the_judge_nobody_can_say_whether_it_is_right(bench: JobBench) -> None:
    bench.staging.answer = lambda request: desk(request, scores=False)
    with model_standin(prefers(sound)) as judge:
        bench.agent = judged_by(judge)
        code, error = await bench.error(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert (code, error.reason) == (GIVE_UP, "JudgeNotCalibrated")
    assert "let the endpoint return the score of some 200 cases" in error.message


async def test_a_restarted_pod_asks_neither_endpoint_nor_judge_again(bench: JobBench) -> None:
    with model_standin(prefers(sound)) as judge:
        first = await sealed(bench, judge)
        replayed, asked = len(bench.staging.requests), len(judge.requests)
        again = await sealed(bench, judge)
        assert len(bench.staging.requests) == replayed
    assert again.rows == first.rows
    spoilt_differently = 2 * 2 * 9
    assert len(judge.requests) <= asked + spoilt_differently, "good answers are not stored, so others are spoilt"


async def test_what_fooled_the_judge_is_shown_to_the_next_one(bench: JobBench) -> None:
    with model_standin(JUDGES["dhdhdhdh"]) as judge:
        fooled = await sealed(bench, judge)
    assert fooled.judge is not None and fooled.judge.exploits
    await bench.upstream(HELPS, number=CASES)
    with model_standin(prefers(sound)) as judge:
        later = await sealed(bench, judge)
    assert later.judge is not None
    assert "seen before 1" in later.judge.canaries_shown


async def test_rules_grade_where_the_endpoint_returns_no_score(bench: JobBench) -> None:
    bench.staging.answer = lambda request: desk(request, scores=False)
    bench.agent = {"success": {"rules": [{"regex": {"pattern": "is free"}}]}}
    report = await bench.report(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert {o.graded_by for row in report.rows for o in row.outcomes.values()} == {"rules"}
    assert gate(report) == (True, gate(report)[1])
    assert gate(report)[1].reason == "RecordedScores"


async def test_a_rule_that_cannot_be_checked_fails_the_job_for_good(bench: JobBench) -> None:
    bench.agent = {"success": {"rules": [{"regex": {"pattern": "("}}]}}
    code, error = await bench.error(bench.environment("sealed", **bench.frozen(HELPS)), "sealed")
    assert (code, error.reason) == (GIVE_UP, "BadRule")
