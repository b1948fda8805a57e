"""A betting confidence sequence for the mean of values in [-1, 1] (Waudby-Smith & Ramdas 2024, JRSS-B 86(1):1-27).

Against the hypothesis "the mean is at most m" a bettor starts with capital 1 and stakes the share c of it on every
value; a value x multiplies the capital by

    1 - c + c * (x + 1) / (m + 1)        with 0 < c < 1,

which is positive, and has an expectation of at most 1 if the hypothesis is true. Capital that grows is therefore
evidence: by Ville's inequality it ever reaches 1/alpha with a probability of at most alpha. So one may look after every
value, and what was refuted once stays refuted. The bound is the largest m that is refuted at some look: the capital
falls in m, hence bisection finds it, and verdict and bound are one and the same object.

The bettor plays a fixed mixture of two constant stakes (a small universal portfolio); its capital is the weighted mean
of theirs. They are chosen for the number of values that is planned, which is known before any value: the best stake
for refuting zero with n values of variance v is about sqrt(2 ln(1/alpha) / (n v)), as in the paper's predictable
plug-in, but with the variance guessed instead of learned. Most weight is on the usual share of discordant pairs, the
rest on few of them. To learn the stakes on the way (aGRAPA, ONS) costs more than it gains at a few hundred pairs
(docs/gate.md).
"""

from collections.abc import Sequence
from itertools import accumulate
from math import log, sqrt
from operator import mul
from statistics import fmean

USUAL_VARIANCE = 0.3
"""Of a paired difference: about the share of pairs on which two prompts of one model differ. A wrong guess costs power,
never validity."""
MIXTURE = ((1.0, 0.75), (2.5, 0.25))
"""(multiple of the usual stake, weight). 2.5 is the stake where only one pair in twenty differs."""
LARGEST_STAKE = 0.9
"""A bettor who stakes everything is ruined by the first loss."""
_STEPS = 50
"""Halvings of [-1, 1]: exact to 2e-15, and never so near to -1 that m + 1 rounds to zero."""

Stakes = tuple[tuple[float, float], ...]


def stakes_for(planned: int, alpha: float) -> Stakes:
    """(share of the capital, weight) for a planned number of values, at least 1; the weights sum to 1."""
    usual = sqrt(2 * log(1 / alpha) / (USUAL_VARIANCE * planned))
    return tuple((min(LARGEST_STAKE, multiple * usual), weight) for multiple, weight in MIXTURE)


def refuted_after(values: Sequence[float], m: float, alpha: float, stakes: Stakes) -> int | None:
    """How many values refute "the mean is at most m" (m > -1) at level alpha, looking after each; None if never."""
    distinct = set(values)
    factors = [{x: 1 - c + c * (x + 1) / (m + 1) for x in distinct} for c, _ in stakes]
    tracks = [
        accumulate(map(factor.__getitem__, values), mul, initial=weight)
        for factor, (_, weight) in zip(factors, stakes, strict=True)
    ]
    # The first look, before any value, finds the capital 1. All stakes move together, one value at a time.
    return next((seen for seen, capitals in enumerate(zip(*tracks, strict=True)) if sum(capitals) >= 1 / alpha), None)


def lower_bound(values: Sequence[float], alpha: float, planned: int) -> float:
    """Lower bound in [-1, 1] of the mean; below the true mean at all looks together with probability 1 - alpha.

    `values` stand in the order of the looks, which must not depend on them. `planned` is the number of values foreseen
    before any was known. At most the observed mean: a proof that later values took back is none to act upon. Without
    values: -1.
    """
    if not values:
        return -1.0
    stakes = stakes_for(planned, alpha)
    low, high = -1.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if refuted_after(values, middle, alpha, stakes) is None:
            high = middle
        else:
            low = middle
    return min(low, fmean(values))


def upper_bound(values: Sequence[float], alpha: float, planned: int) -> float:
    """Upper bound of the mean: the mirrored lower bound. Without values: 1."""
    return -lower_bound([-x for x in values], alpha, planned)
