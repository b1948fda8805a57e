"""Two arms compared within strata: a difference in success that no stratum's own level can cause.

A stratum is a set of traces that met the same decision (the same task, or the same intent and state); a cell is its
part that belongs to one cluster, for traces of one task or session are not independent. All functions take cells.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ninefold.analysis.stats.wilson import Z95

EXACT_LIMIT = 3_000
"""Traces in informative strata up to which the exact test is made; above it, its normal approximation agrees."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`x1` of `n1` solved under the better choice, `x0` of `n0` under the one taken."""

    stratum: str
    cluster: str
    n1: int
    x1: int
    n0: int
    x0: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Risk difference (better − taken) with its 95 % interval, a two-sided p, and how many strata held both arms."""

    estimate: float
    low: float
    high: float
    p_value: float
    strata: int


Table = tuple[int, int, int, int]


def compare(cells: Sequence[Cell]) -> Difference | None:
    """The matched difference, or None when no stratum holds both arms.

    The interval takes the larger of Sato's variance and the cluster jackknife, and the p-value the larger of the exact
    (or Cochran-Mantel-Haenszel) and the Wald test on that variance: each is right in one regime (sparse strata;
    correlated traces), and too bold in the other.
    """
    tables = informative(cells)
    if not tables:
        return None
    estimate = mantel_haenszel(tables)
    variance = max(sato_variance(tables, estimate), jackknife_variance(cells, estimate))
    half = Z95 * math.sqrt(variance)
    wald = math.erfc(abs(estimate) / math.sqrt(2 * variance)) if variance > 0 else float(estimate == 0)
    p_value = max(exact_or_cmh(tables), wald)
    return Difference(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p_value, len(tables))


def informative(cells: Iterable[Cell]) -> list[Table]:
    """(n1, x1, n0, x0) of the strata that hold both arms; the others say nothing about a difference."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for c in cells:
        total = sums[c.stratum]
        for i, value in enumerate((c.n1, c.x1, c.n0, c.x0)):
            total[i] += value
    return [(n1, x1, n0, x0) for n1, x1, n0, x0 in sums.values() if n1 and n0]


def mantel_haenszel(tables: Iterable[Table]) -> float:
    """Pooled risk difference with weights n1·n0/N. Source: S. Greenland, J. M. Robins, Biometrics 41 (1985)."""
    top = bottom = 0.0
    for n1, x1, n0, x0 in tables:
        top += (x1 * n0 - x0 * n1) / (n1 + n0)
        bottom += n1 * n0 / (n1 + n0)
    return top / bottom


def sato_variance(tables: Iterable[Table], estimate: float) -> float:
    """Variance of the pooled difference, consistent for few large strata and for many small ones.

    Source: T. Sato, "On the variance estimator for the Mantel-Haenszel risk difference", Biometrics 45 (1989).
    """
    p = q = weight = 0.0
    for n1, x1, n0, x0 in tables:
        n = n1 + n0
        p += (n1 * n1 * x0 - n0 * n0 * x1 + n1 * n0 * (n0 - n1) / 2) / (n * n)
        q += (x1 * (n0 - x0) + x0 * (n1 - x1)) / (2 * n)
        weight += n1 * n0 / n
    return max(0.0, estimate * p + q) / (weight * weight)


def jackknife_variance(cells: Sequence[Cell], estimate: float) -> float:
    """Delete-one-cluster jackknife of the pooled difference; 0 with fewer than two clusters.

    Source: B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans" (1982), section 3; centred at the
    estimate, which is the more conservative form.
    """
    strata: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    clusters: defaultdict[str, list[Cell]] = defaultdict(list)
    for c in cells:
        clusters[c.cluster].append(c)
        for i, value in enumerate((c.n1, c.x1, c.n0, c.x0)):
            strata[c.stratum][i] += value
    top = sum(_top(t) for t in strata.values())
    bottom = sum(_bottom(t) for t in strata.values())
    squares, used = 0.0, 0
    for group in clusters.values():
        mine: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for c in group:
            for i, value in enumerate((c.n1, c.x1, c.n0, c.x0)):
                mine[c.stratum][i] += value
        a, b = top, bottom
        for stratum, own in mine.items():
            whole = strata[stratum]
            rest = [w - o for w, o in zip(whole, own, strict=True)]
            a += _top(rest) - _top(whole)
            b += _bottom(rest) - _bottom(whole)
        if b > 1e-9 and (a, b) != (top, bottom):
            squares += (a / b - estimate) ** 2
            used += 1
    return squares * (used - 1) / used if used > 1 else 0.0


def _top(t: Sequence[int]) -> float:
    return (t[1] * t[2] - t[3] * t[0]) / (t[0] + t[2]) if t[0] and t[2] else 0.0


def _bottom(t: Sequence[int]) -> float:
    return t[0] * t[2] / (t[0] + t[2]) if t[0] and t[2] else 0.0


def exact_or_cmh(tables: Sequence[Table]) -> float:
    """Two-sided p of no difference in any stratum: exact while that is quick, else Cochran-Mantel-Haenszel."""
    return exact(tables) if sum(t[0] + t[2] for t in tables) <= EXACT_LIMIT else cmh(tables)


def exact(tables: Iterable[Table]) -> float:
    """Exact conditional test: successes in the better arm given each stratum's margins are sums of hypergeometrics.

    Two-sided by adding up what is at most as likely as what was seen. Source: A. Agresti, "Categorical Data
    Analysis", 3rd ed., section 7.3.5.
    """
    distribution, seen = _conditional(tables)
    limit = distribution[seen] * (1 + 1e-7)
    return min(1.0, sum(p for p in distribution if p <= limit))


def one_sided(tables: Sequence[Table]) -> float:
    """One-sided mid-p that the better arm is no better: what was seen counts half, for few strata leave few values.

    Exact while that is quick. Source: H. O. Lancaster, "Significance tests in discrete distributions", JASA 56 (1961).
    """
    if sum(t[0] + t[2] for t in tables) > EXACT_LIMIT:
        half = cmh(tables) / 2
        return half if mantel_haenszel(tables) > 0 else 1 - half
    distribution, seen = _conditional(tables)
    return sum(distribution[seen + 1 :]) + distribution[seen] / 2


def _conditional(tables: Iterable[Table]) -> tuple[list[float], int]:
    """The distribution of successes in the better arm given all margins, and the place of what was seen in it."""
    distribution, seen, shift = [1.0], 0, 0
    for n1, x1, n0, x0 in tables:
        solved = x1 + x0
        low, high = max(0, solved - n0), min(n1, solved)
        whole = math.comb(n1 + n0, solved)
        own = [math.comb(n1, k) * math.comb(n0, solved - k) / whole for k in range(low, high + 1)]
        merged = [0.0] * (len(distribution) + len(own) - 1)
        for i, p in enumerate(distribution):
            for j, q in enumerate(own):
                merged[i + j] += p * q
        distribution, seen, shift = merged, seen + x1, shift + low
    return distribution, seen - shift


def cmh(tables: Iterable[Table]) -> float:
    """Cochran-Mantel-Haenszel test with continuity correction. Source: N. Mantel, W. Haenszel, JNCI 22 (1959)."""
    excess = variance = 0.0
    for n1, x1, n0, x0 in tables:
        n, solved = n1 + n0, x1 + x0
        excess += x1 - n1 * solved / n
        if n > 1:
            variance += n1 * n0 * solved * (n - solved) / (n * n * (n - 1))
    if variance == 0:
        return 1.0
    return math.erfc(math.sqrt(max(0.0, abs(excess) - 0.5) ** 2 / variance / 2))
