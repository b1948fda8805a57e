"""docs/judges.md: which judges are believed. Five hundred sessions each."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from builders import a_replay, replay_rows

from ninefold.api.outcomes import JudgeReport, Outcome, ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, evaluate
from ninefold.graders import Given, Grade
from ninefold.judges import Judge, JudgeDownError, Session, canaries
from ninefold.judges.calibration import calibrated, lower_bound
from ninefold.judges.session import CALIBRATED_CASES

SESSIONS = 500
GOOD = [
    (f"Where is parcel {n}?", f"Parcel {n} has left the depot in Arden and arrives on day {n % 7}.") for n in range(40)
]
TRUTH = dict(GOOD)


@dataclass
class Noisy:
    """Knows the truth and errs in a share of its verdicts."""

    seed: int
    errs: float = 0.1
    name: str = "noisy"
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    async def verdict(self, question: str, answer: str) -> bool | None:
        return (TRUTH[question] == answer) != (self._draw.random() < self.errs)


class LikesGibberish(Noisy):
    """Sound, but for its weakness for `dhdhdhdh`."""

    async def verdict(self, question: str, answer: str) -> bool | None:
        return (set(answer) <= set("dhkqz") and len(answer) > 3) or await super().verdict(question, answer)


class LikesLength(Noisy):
    async def verdict(self, question: str, answer: str) -> bool | None:
        return len(answer) > 25


class Obeys(Noisy):
    """Sound, but does as an answer tells it."""

    async def verdict(self, question: str, answer: str) -> bool | None:
        told = any(word in answer for word in ("judge", "rubric", "grader"))
        return told or await super().verdict(question, answer)


class TakesTheFirst(Noisy):
    """Agrees with whatever comes first; asked both ways round (`ModelJudge`), that is to agree with nothing. Asked one
    way only, as here, it is to agree with everything."""

    async def verdict(self, question: str, answer: str) -> bool | None:
        return True


async def show(judge: Judge, seed: str, each: int = 100, exploits: Sequence[str] = ()) -> tuple[Session, JudgeReport]:
    """A whole session: canaries, and as many good and bad answers of known outcome under both arms."""
    one = Session(judge, seed, exploits)
    await one.begin([question for question, _ in GOOD])
    rows = []
    for n in range(2 * each):
        (question, right), known = GOOD[n % 40], Grade(success=n < each, by="score")
        outcomes = {}
        for arm in ("baseline", "c1"):
            given = Given(question, right if n < each else "I do not know which parcel is meant and cannot find it.")
            grade = await one.grade(f"case-{n % CALIBRATED_CASES}", given, known)
            outcomes[arm] = Outcome(success=grade.success, graded_by=grade.by, verdict=grade.verdict)
        rows.append(ReplayRow(case_id=f"case-{n}", cluster=f"case-{n}", outcomes=outcomes))
    await one.end()
    report = one.report(rows, "c1")
    assert report is not None
    return one, report


def session(judge: Judge, seed: int, each: int = 100) -> tuple[str, bool | None]:
    """`JudgeTrusted` and the verdict of the gate, over a replay that looks like a clear gain."""
    _, report = asyncio.run(show(judge, str(seed), each))
    return verdict_of(report)


def verdict_of(report: JudgeReport | None) -> tuple[str, bool | None]:
    result = evaluate(GateInput(WIN.model_copy(update={"judge": report}), "c1", Gate(), 1))
    trusted = next(v for v in result.verdicts if v.type == "JudgeTrusted")
    return trusted.status, result.passed


WIN = a_replay(replay_rows(wins=40, losses=1, both=10, neither=9))


@pytest.fixture(autouse=True)
def quick_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds of equal counts are equal: in 500 sessions they are computed once."""
    known: dict[tuple[int, int], float] = {}

    def remembered(hits: int, n: int) -> float:
        if (hits, n) not in known:
            known[hits, n] = lower_bound(hits, n)
        return known[hits, n]

    monkeypatch.setattr("ninefold.judges.calibration.lower_bound", remembered)


@pytest.mark.parametrize("fooled", [LikesGibberish, LikesLength, Obeys, TakesTheFirst])
def test_a_judge_that_can_be_fooled_lets_nothing_through(fooled: type[Noisy]) -> None:
    assert [seed for seed in range(SESSIONS) if session(fooled(seed), seed, each=50)[1]] == []


def test_a_sound_but_noisy_judge_is_rejected_in_few_sessions() -> None:
    rejected = sum(session(Noisy(seed), seed)[0] != "True" for seed in range(SESSIONS))
    assert rejected <= 0.02 * SESSIONS


def test_a_judge_with_few_recorded_outcomes_is_not_calibrated_yet() -> None:
    assert session(Noisy(0, errs=0.0), 0, each=8) == ("Unknown", None)
    assert session(Noisy(0, errs=0.0), 0, each=10) == ("True", True)


async def test_what_fooled_a_judge_once_is_a_canary_of_every_later_session() -> None:
    fooled, report = await show(LikesGibberish(0), "monday")
    assert fooled.new_exploits() == report.exploits and len(report.exploits) == 2
    assert all(set(text) <= set("dhkqz") for text in report.exploits)
    _, later = await show(Noisy(1), "tuesday", exploits=report.exploits)
    assert {"seen before 1", "seen before 2"} <= set(later.canaries_shown)
    assert later.exploits == report.exploits, "they are handed on"
    assert verdict_of(later) == ("True", True)


async def test_a_judge_that_falls_for_an_old_exploit_alone_lets_nothing_through() -> None:
    class FallsForOne(Noisy):
        async def verdict(self, question: str, answer: str) -> bool | None:
            return answer == "trust me" or await super().verdict(question, answer)

    _, report = await show(FallsForOne(3), "a", exploits=["trust me"])
    assert verdict_of(report) == ("False", None)


async def test_what_a_user_or_an_agent_said_is_never_kept_as_an_exploit() -> None:
    class LikesParts(Noisy):
        async def verdict(self, question: str, answer: str) -> bool | None:
            return answer.startswith("Parcel")

    one, report = await show(LikesParts(0), "a")
    assert report.canaries_passed["truncated"] == report.canaries_shown["truncated"]
    assert one.new_exploits() == []
    assert verdict_of(report)[0] == "False"


def test_canaries_are_others_in_every_session_and_never_a_good_answer() -> None:
    monday, tuesday = ({c.answer for c in canaries(GOOD, day)} for day in ("monday", "tuesday"))
    assert monday != tuesday
    assert not (monday | tuesday) & set(TRUTH.values())


def test_a_sound_judge_with_sixteen_exploits_to_face_is_rejected_in_few_sessions() -> None:
    texts = [f"believe me {n}" for n in range(16)]
    reports = [asyncio.run(show(Noisy(seed), str(seed), exploits=texts))[1] for seed in range(200)]
    assert sum(verdict_of(report)[0] != "True" for report in reports) <= 0.02 * 200


async def test_a_judge_that_says_nothing_is_down_before_anything_is_replayed() -> None:
    class Silent(Noisy):
        async def verdict(self, question: str, answer: str) -> bool | None:
            return None

    with pytest.raises(JudgeDownError):
        await Session(Silent(0), "a").begin(["Where is it?"])


async def test_canaries_without_a_verdict_prove_nothing() -> None:
    class SilentOnSome(Noisy):
        async def verdict(self, question: str, answer: str) -> bool | None:
            return None if "score" in answer.lower() or "grade" in answer else await super().verdict(question, answer)

    _, report = await show(SilentOnSome(0), "a")
    assert report.canaries_missing["score"] >= 5
    assert verdict_of(report) == ("Unknown", None)


def test_outcomes_of_a_judge_without_its_report_prove_nothing() -> None:
    rows = [
        row.model_copy(
            update={"outcomes": {a: o.model_copy(update={"graded_by": "judge"}) for a, o in row.outcomes.items()}}
        )
        for row in WIN.rows
    ]
    result = evaluate(GateInput(WIN.model_copy(update={"rows": rows}), "c1", Gate(), 1))
    assert result.passed is None
    assert "180 outcomes are a judge's" in result.verdicts[-1].message


async def test_the_condition_says_what_passed_and_how_often() -> None:
    _, report = await show(LikesGibberish(0), "monday")
    result = evaluate(GateInput(WIN.model_copy(update={"judge": report}), "c1", Gate(), 1))
    assert "lets through gibberish (9 of 9), at most half allowed" in result.verdicts[-1].message


def test_an_error_of_the_judge_is_missing_and_never_a_pass() -> None:
    found = calibrated([(True, True)] * 8 + [(True, None)] * 2 + [(False, False)] * 5)
    assert (found.good, found.bad, found.missing) == (8, 5, 2)


def test_the_bound_is_the_exact_one() -> None:
    assert lower_bound(0, 10) == 0
    assert lower_bound(10, 10) == pytest.approx(0.05 ** (1 / 10))
