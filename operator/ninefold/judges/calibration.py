"""Calibration: a judge against known outcomes, on the outputs of baseline and candidate separately.

Separately, because a candidate may write in a way that the judge is blind to while it was fine on the baseline's. For
each the judge needs a lower bound of its sensitivity (good answers that it passes) *and* of its specificity (bad ones
that it fails). The bound is Clopper & Pearson's (1934), exact, one-sided at `ALPHA`. A verdict of None is missing.
"""

from collections.abc import Iterable
from math import comb

from ninefold.api.outcomes import Agreement, ReplayRow

ALPHA = 0.05
_STEPS = 50


def agreement(rows: Iterable[ReplayRow], arm: str) -> Agreement:
    """The judge on the outputs of one arm, wherever a score or rules had decided and the judge was asked as well."""
    outcomes = [row.outcomes[arm] for row in rows if arm in row.outcomes]
    asked = [o for o in outcomes if o.success is not None and o.graded_by != "judge" and o.verdict is not None]
    said = {"Pass": True, "Fail": False}
    return calibrated((bool(o.success), said.get(o.verdict or "")) for o in asked)


def calibrated(pairs: Iterable[tuple[bool, bool | None]]) -> Agreement:
    """Counts and bounds from (known outcome, verdict) pairs. Bounds are 0 where nothing was judged."""
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
