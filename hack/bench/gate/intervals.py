"""Coverage of the gate's bounds, and errors and power of its test of harm in slices.

A bound is above m at a look exactly when m is refuted there, so what is asked is whether m was refuted: the same
sequence, in one pass instead of a bisection.
"""

import random
from collections.abc import Sequence
from statistics import fmean

from bench.gate.simulation import Truth
from ninefold import betting


def misses(truth: Truth, cases: int, alpha: float, candidates: int) -> tuple[float, float]:
    """Share of candidates whose lower bound, and whose upper bound, is on the wrong side of the truth at any look."""
    gain, stakes = truth.candidate - truth.baseline, betting.stakes_for(cases, alpha)
    below = above = 0
    for n in range(candidates):
        values = truth.differences(cases, random.Random(n))
        below += betting.refuted_after(values, gain, alpha, stakes) is not None
        above += betting.refuted_after([-x for x in values], -gain, alpha, stakes) is not None
    return below / candidates, above / candidates


def widths(truth: Truth, cases: Sequence[int], alpha: float, candidates: int) -> list[tuple[float, float]]:
    """(cases, mean distance of the lower bound from the observed gain)."""
    found = []
    for n in cases:
        samples = [truth.differences(n, random.Random(seed)) for seed in range(candidates)]
        found.append((float(n), fmean(fmean(values) - betting.lower_bound(values, alpha, n) for values in samples)))
    return found


def harm_called(loss: float, pairs: int, margin: float, alpha: float, candidates: int) -> float:
    """Share of slices with this true loss that are called harmed: upper bound below -margin."""
    return _proved(_mirrored(loss), margin, pairs, alpha, candidates)


def loss_let_through(loss: float, pairs: int, margin: float, alpha: float, candidates: int) -> float:
    """Share of candidates with this true loss overall whose loss beyond the margin is wrongly excluded."""
    return _proved(Truth(0.6, 0.6 - loss, max(0.22, loss + 0.08)), -margin, pairs, alpha, candidates)


def _mirrored(loss: float) -> Truth:
    return Truth(0.6 - loss, 0.6, max(0.22, loss + 0.08))


def _proved(truth: Truth, m: float, pairs: int, alpha: float, candidates: int) -> float:
    """Share of candidates whose mean is proved above m and is above it as observed, as the gate's bound has it."""
    stakes, proved = betting.stakes_for(pairs, alpha), 0
    for n in range(candidates):
        values = truth.differences(pairs, random.Random(n))
        proved += fmean(values) > m and betting.refuted_after(values, m, alpha, stakes) is not None
    return proved / candidates
