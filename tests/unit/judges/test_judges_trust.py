"""docs/judges.md: which judges are believed. Five hundred sessions each."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from builders import a_replay, replay_rows

from ninefold.api.policy import Gate
from ninefold.gate import GateInput, evaluate
from ninefold.judges import canaries, judge_report
from ninefold.judges.calibration import calibrated, lower_bound

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


def session(judge: Noisy, seed: int, each: int = 100) -> tuple[str, bool | None]:
    """`JudgeTrusted` and the verdict of the gate, over a replay that looks like a clear gain."""
    bad = "I do not know which parcel is meant and cannot find it."
    outputs = [(*GOOD[n % 40], True) for n in range(each)] + [(GOOD[n % 40][0], bad, False) for n in range(each)]
    report = asyncio.run(judge_report(judge, outputs, outputs, canaries(GOOD, seed)))
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
    assert [seed for seed in range(SESSIONS) if session(fooled(seed), seed)[1]] == []


def test_a_sound_but_noisy_judge_is_rejected_in_few_sessions() -> None:
    rejected = sum(session(Noisy(seed), seed)[0] != "True" for seed in range(SESSIONS))
    assert rejected <= 0.02 * SESSIONS


def test_a_judge_with_few_recorded_outcomes_is_not_calibrated_yet() -> None:
    assert session(Noisy(0), 0, each=30) == ("Unknown", None)


def test_an_exploit_that_was_seen_once_is_a_canary_for_ever() -> None:
    assert {c.kind for c in canaries(GOOD, 0, ["trust me"])} - {c.kind for c in canaries(GOOD, 0)} == {"exploit 0"}
    assert not {c.answer for c in canaries(GOOD, 1)} & set(TRUTH.values())


def test_an_error_of_the_judge_is_missing_and_never_a_pass() -> None:
    found = calibrated([(True, True)] * 8 + [(True, None)] * 2 + [(False, False)] * 5)
    assert (found.good, found.bad, found.missing) == (8, 5, 2)


def test_the_bound_is_the_exact_one() -> None:
    assert lower_bound(0, 10) == 0
    assert lower_bound(10, 10) == pytest.approx(0.05 ** (1 / 10))
