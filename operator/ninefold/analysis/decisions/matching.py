"""A difference between two arms, matched within strata, over arrays with one entry a trace.

The same estimator as `stats.stratified`, for millions of traces: strata are runs of rows, so all sums are sums over
runs, and where no stratum holds two clusters the variance is a sum over strata too.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.tables import Ints
from ninefold.analysis.stats.power import Repeats
from ninefold.analysis.stats.stratified import Difference
from ninefold.analysis.stats.wilson import Z95

Floats = NDArray[np.float64]


def difference(p: Sequences, rows: Ints, won: Flags) -> Difference | None:
    """Matched difference (better − taken) among `rows` (ascending); None without a stratum that holds both arms.

    Mantel-Haenszel's risk difference. Its variance is the larger of the null variance of Cochran-Mantel-Haenszel and
    the sum of squared influences by cluster (the linearised delete-one-cluster jackknife).
    """
    if not len(rows):
        return None
    starts, kinds = _kinds(p, rows, won)
    both = (kinds[:, 0] + kinds[:, 1] > 0) & (kinds[:, 2] + kinds[:, 3] > 0)
    strata = int(np.count_nonzero(both))
    if not strata:
        return None
    lost_failed, x0, won_failed, x1 = kinds[both].T.astype(float)
    n0, n1 = lost_failed + x0, won_failed + x1
    n, x = n0 + n1, x0 + x1
    weight, top = n1 * n0 / n, (x1 * n0 - x0 * n1) / n
    whole = float(weight.sum())
    estimate = float(top.sum()) / whole
    rate = x / n
    null = float((weight * rate * (1 - rate) * n / np.maximum(n - 1, 1)).sum())
    excess = top - estimate * weight
    if p.nested:
        clusters = p.cluster[rows[starts[both]]]
    else:
        inside = np.repeat(both, np.diff(starts, append=len(rows)))
        clusters, excess = _influences(p, rows[inside], won[inside], (n1, x1, n0, x0), excess)
    squares = float((_by(clusters, excess) ** 2).sum())
    variance = max(null, squares) / whole**2
    half = Z95 * math.sqrt(variance)
    p_value = math.erfc(abs(estimate) / math.sqrt(2 * variance)) if variance > 0 else float(estimate == 0)
    return Difference(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p_value, strata)


def repeats(p: Sequences, rows: Ints, won: Flags) -> Repeats:
    """How runs of one stratum differ in arm and outcome among `rows`."""
    if not len(rows):
        return Repeats(0, 0, 0.0, 0.0)
    _, kinds = _kinds(p, rows, won)
    n = kinds.sum(1)
    pairs = max(1.0, float((n * (n - 1)).sum()) / 2)
    arms, outcomes = (float((k * (n - k)).sum()) / pairs for k in (kinds[:, 2:].sum(1), kinds[:, 1::2].sum(1)))
    return Repeats(len(n), len(rows), arms, outcomes)


def _kinds(p: Sequences, rows: Ints, won: Flags) -> tuple[Ints, Ints]:
    """Where each stratum starts among `rows`, and its traces that lost and failed, lost and solved, won and failed, won
    and solved."""
    stratum = p.stratum[rows]
    changes = stratum[1:] != stratum[:-1]
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    run = np.concatenate(([0], np.cumsum(changes)))
    counts = np.bincount(4 * run + 2 * won + p.solved[rows], minlength=4 * len(starts))
    return starts, counts.reshape(-1, 4)


def _influences(p: Sequences, rows: Ints, won: Flags, strata: tuple[Floats, Floats, Floats, Floats],
                excess: Floats) -> tuple[Ints, Floats]:  # fmt: skip
    """Cluster and influence of every trace: its weighted residual within its stratum and arm, and its share of the
    stratum's excess. Within one stratum the residuals add up to nothing, hence the short way where none is divided."""
    sizes = (strata[0] + strata[2]).astype(int)
    n1, x1, n0, x0 = (np.repeat(v, sizes) for v in strata)
    y = p.solved[rows].astype(float)
    residual = np.where(won, (y - x1 / n1) / n1, -(y - x0 / n0) / n0)
    influence = n1 * n0 / (n1 + n0) * residual + np.repeat(excess / sizes, sizes)
    return p.cluster[rows], influence


def _by(groups: Ints, values: Floats) -> Floats:
    """Sums by group; runs are summed first, for most groups are one run."""
    starts = np.concatenate(([0], np.flatnonzero(groups[1:] != groups[:-1]) + 1))
    sums, own = np.add.reduceat(values, starts), groups[starts]
    if np.all(own[1:] > own[:-1]):
        return np.asarray(sums)
    return np.bincount(np.unique(own, return_inverse=True)[1], sums).astype(float)


def distinct(numbers: Ints) -> int:
    """How many different ones there are among small numbers; without sorting them."""
    if not len(numbers):
        return 0
    flags = np.zeros(int(numbers.max()) + 1, bool)
    flags[numbers] = True
    return int(np.count_nonzero(flags))


def share(flags: Flags) -> float:
    """The share that is set; 0 of nothing."""
    return float(np.count_nonzero(flags)) / len(flags) if len(flags) else 0.0
