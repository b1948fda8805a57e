"""Coverage of the gate's bounds, and errors and power of its test of harm in slices."""

import random
from collections.abc import Sequence

from bench.gate.simulation import Truth
from ninefold.gate import betting

LOOK = 40
"""Cases between two looks, as in the sealed Job."""


def misses(truth: Truth, cases: int, alpha: float, candidates: int) -> tuple[float, float]:
    """Share of candidates whose lower bound, and whose upper bound, is on the wrong side of the truth at any look."""
    gain = truth.candidate - truth.baseline
    below = above = 0
    for n in range(candidates):
        values = truth.differences(cases, random.Random(n))
        below += any(betting.lower_bound(values[:at], alpha, cases) > gain for at in range(LOOK, cases + 1, LOOK))
        above += any(betting.upper_bound(values[:at], alpha, cases) < gain for at in range(LOOK, cases + 1, LOOK))
    return below / candidates, above / candidates


def widths(truth: Truth, cases: Sequence[int], alpha: float, candidates: int) -> list[tuple[float, float]]:
    """(cases, mean distance of the lower bound from the observed gain)."""
    found = []
    for n in cases:
        gaps = []
        for seed in range(candidates):
            values = truth.differences(n, random.Random(seed))
            gaps.append(sum(values) / n - betting.lower_bound(values, alpha, n))
        found.append((float(n), sum(gaps) / candidates))
    return found


def harm_called(loss: float, pairs: int, margin: float, alpha: float, candidates: int) -> float:
    """Share of slices with this true loss that are called harmed: upper bound below -margin."""
    truth = Truth(0.6, 0.6 - loss, max(0.22, loss + 0.08))
    called = 0
    for n in range(candidates):
        values = truth.differences(pairs, random.Random(n))
        called += betting.upper_bound(values, alpha, pairs) < -margin
    return called / candidates


def loss_let_through(loss: float, pairs: int, margin: float, alpha: float, candidates: int) -> float:
    """Share of candidates with this true loss overall whose loss beyond the margin is wrongly excluded."""
    truth = Truth(0.6, 0.6 - loss, max(0.22, loss + 0.08))
    passed = 0
    for n in range(candidates):
        values = truth.differences(pairs, random.Random(n))
        passed += betting.lower_bound(values, alpha, pairs) > -margin
    return passed / candidates
