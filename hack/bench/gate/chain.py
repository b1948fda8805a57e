"""Null candidates through the whole gate: every check, with looks and early ends as the sealed Job has them.

A case is easy, hard or open; every arm draws its outcome independently with the case's own chance, so no arm is better
than another, and pairs differ as two runs of one prompt do.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ninefold.api.cases import Case
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, WRONG_KEY_CONTROL, Outcome, ReplayReport, ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, evaluate, proved_already
from ninefold.replay.proof import looks, plan_of

CANDIDATE = "nothing"
ARMS = (BASELINE, CANDIDATE, NULL_CONTROL, WRONG_KEY_CONTROL)
CHANCES = (0.05, 0.5, 0.95)
"""Of success, for a hard, an open and an easy case, in equal shares: 23 % of pairs differ."""
INTENTS = ("billing", "booking", "returns")


@dataclass(frozen=True)
class Ended:
    """How one candidate came out: the reason of the whole gate, and after how many cases."""

    passed: bool | None
    reason: str
    cases: int


def session(seed: str, cases: int, cycle: int = 1, gain: float = 0.0) -> Ended:
    """One candidate on fresh sealed cases, judged as a run judges it. `gain`: what it adds to every chance."""
    draw = random.Random(f"chain/{seed}")
    own = [_case(n) for n in range(cases)]
    chances = {case.case_id: draw.choice(CHANCES) for case in own}
    planned, counted, gate = plan_of(own), Counter(case.intent for case in own), Gate()
    rows: list[ReplayRow] = []
    for batch in looks(own):
        rows += [_row(case, chances[case.case_id], draw, gain) for case in batch]
        report = ReplayReport.model_construct(
            bucket="sealed", arms=list(ARMS), rows=rows, prompt_tokens=dict.fromkeys(ARMS, 50), **planned
        )
        given = GateInput(report, CANDIDATE, gate, cycle)
        if proved_already(given, counted):
            break
    result = evaluate(given)
    return Ended(result.passed, result.verdicts[-1].reason, len(rows))


def sessions(candidates: int, cases: int, cycle: int = 1) -> Iterator[Ended]:
    for n in range(candidates):
        yield session(f"{cycle}/{n}", cases, cycle)


def _case(n: int) -> Case:
    name = f"task-{n}"
    return Case.model_construct(
        case_id=name, cluster=name, intent=INTENTS[n % 3], input="", metadata={}, succeeded=True
    )


def _row(case: Case, chance: float, draw: random.Random, gain: float) -> ReplayRow:
    outcomes = {arm: _outcome(draw.random() < chance + (gain if arm == CANDIDATE else 0.0)) for arm in ARMS}
    return ReplayRow.model_construct(case_id=case.case_id, cluster=case.cluster, intent=case.intent, outcomes=outcomes)


def _outcome(success: bool) -> Outcome:
    return Outcome.model_construct(success=success, score=float(success), steps=3, tokens=100)
