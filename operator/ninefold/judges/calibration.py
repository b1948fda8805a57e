"""Calibration: a judge against recorded outcomes, on the outputs of baseline and candidate separately.

Separately, because a candidate may write in a way that the judge is blind to while it was fine on the baseline's. For
each the judge needs a lower bound of its sensitivity (good answers that it passes) *and* of its specificity (bad ones
that it fails). The bound is Clopper & Pearson's (1934), exact, one-sided at `ALPHA`. A verdict of None is missing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import comb

from ninefold.api.artifacts import Agreement, JudgeReport
from ninefold.judges.canaries import Canary
from ninefold.judges.protocol import Judge

ALPHA = 0.05
_STEPS = 50


async def judge_report(
    judge: Judge,
    baseline: Sequence[tuple[str, str, bool]],
    candidate: Sequence[tuple[str, str, bool]],
    shown: Sequence[Canary],
) -> JudgeReport:
    """What a judge did on (question, output, recorded outcome) of both arms and on the canaries."""
    asked: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for canary in shown:
        asked[canary.kind] += 1
        # No verdict lets nothing through.
        passed[canary.kind] += (await judge.verdict(canary.question, canary.answer)) is True
    return JudgeReport(
        judge=judge.name,
        baseline=await _agreement(judge, baseline),
        candidate=await _agreement(judge, candidate),
        canaries_shown=dict(asked),
        canaries_passed=dict(passed),
    )


async def _agreement(judge: Judge, outputs: Sequence[tuple[str, str, bool]]) -> Agreement:
    pairs = [(truth, await judge.verdict(question, output)) for question, output, truth in outputs]
    return calibrated(pairs)


def calibrated(pairs: Iterable[tuple[bool, bool | None]]) -> Agreement:
    """Counts and bounds from (recorded outcome, verdict) pairs. Bounds are 0 where nothing was judged."""
    pairs = list(pairs)
    known = [(truth, verdict) for truth, verdict in pairs if verdict is not None]
    good = [verdict for truth, verdict in known if truth]
    bad = [not verdict for truth, verdict in known if not truth]
    return Agreement(
        good=len(good),
        bad=len(bad),
        missing=len(pairs) - len(known),
        sensitivity_low=round(lower_bound(sum(good), len(good)), 4),
        specificity_low=round(lower_bound(sum(bad), len(bad)), 4),
    )


def lower_bound(hits: int, n: int, alpha: float = ALPHA) -> float:
    """Exact lower bound of a share: the largest p at which so many hits or more have a probability of at most alpha."""
    if hits == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tail = sum(comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(hits, n + 1))
        low, high = (middle, high) if tail <= alpha else (low, middle)
    return low
