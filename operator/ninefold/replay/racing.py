"""The race on the selection cases: which candidate goes to the gate, if any. Pure.

All arms run on the same cases, so every comparison is paired. The race proves nothing and need not: it only chooses,
on cases of its own, what the gate then judges on others. Two habits keep it from choosing luck: candidates within one
standard error of the best count as tied, and among those the calmer, then the smaller wins (the one-standard-error rule
of Breiman et al. 1984, paired); and a null edit runs along, which the winner must beat.

Unlike in the gate, an arm without an outcome on a case that the baseline answers has lost that case: a candidate whose
prompts are refused shall not win by the cases that remain.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

from ninefold.api.outcomes import BASELINE, NULL_CONTROL, Outcome, ReplayRow
from ninefold.pairing import cluster_means, strict, success

ELIMINATION_ERRORS = 2.0
"""Standard errors behind the leader, or behind the baseline, from which on a candidate is out."""
LEAST_GAIN = 0.01
"""Success that cases to come must be expected to add, else they are not bought."""
LEAST_STANDING = 2
"""Candidates that halving leaves: with one alone, no stratum could choose between two."""
ELIMINATION_CLUSTERS = 20
"""Fewer clusters say too little to end a race."""


_NORMAL = NormalDist()


@dataclass(frozen=True)
class Race:
    """How the race ended: the id of the winner or None, and why, as a sentence with figures."""

    winner: str | None
    why: str


@dataclass(frozen=True)
class _Lead:
    """Mean over clusters of a paired difference, and its standard error (0 for fewer than two clusters)."""

    mean: float
    error: float
    clusters: int


def race(rows: Sequence[ReplayRow], sizes: Mapping[str, int], shrinking: Collection[str] = ()) -> Race:
    """The winner among the candidates of `sizes` (id -> added text; smaller is better), over rows with a null edit.

    Those named `shrinking` only take edits away. They need not gain: where nobody does, the smallest of them that
    cannot be told from the baseline wins.
    """
    rows = [strict(row) for row in rows]
    if not rows or not sizes:
        return Race(None, f"{len(sizes)} candidates on {len(rows)} cases: nothing to race")
    gains = {arm: _lead(rows, arm, BASELINE, success) for arm in sizes}
    best = max(sizes, key=lambda arm: (gains[arm].mean, -sizes[arm], arm))
    null = _lead(rows, NULL_CONTROL, BASELINE, success)
    told = f"best candidate {best} {gains[best].mean * 100:+.1f} pp, null edit {null.mean * 100:+.1f} pp"
    told += f" over {gains[best].clusters} clusters"
    if gains[best].mean <= max(0.0, null.mean):
        idle = [arm for arm in shrinking if _tied(rows, BASELINE, arm, success)]
        if idle:
            winner = min(idle, key=lambda arm: (sizes[arm], arm))
            return Race(winner, f"{told}: nothing gains; {winner} does as well with less text")
        return Race(None, f"{told}: not better than baseline and null edit")
    tied = [arm for arm in sizes if gains[arm].mean > max(0.0, null.mean) and _tied(rows, best, arm, success)]
    calmest = min(tied, key=lambda arm: (_lead(rows, arm, BASELINE, _errors).mean, sizes[arm], arm))
    calm = [arm for arm in tied if _tied(rows, arm, calmest, _errors)]
    winner = min(calm, key=lambda arm: (sizes[arm], arm))
    among = f", the smallest of {len(calm)} that cannot be told apart" if len(calm) > 1 else ""
    return Race(winner, f"{told}; {winner} wins{among}")


def survivors(rows: Sequence[ReplayRow], alive: Sequence[str]) -> list[str]:
    """The candidates that are neither clearly behind the leader nor clearly behind the baseline."""
    rows = [strict(row) for row in rows]
    gains = {arm: _lead(rows, arm, BASELINE, success) for arm in alive}
    if not alive or min(gain.clusters for gain in gains.values()) < ELIMINATION_CLUSTERS:
        return list(alive)
    leader = max(alive, key=lambda arm: (gains[arm].mean, arm))
    behind = {arm: (_lead(rows, leader, arm, success), _lead(rows, BASELINE, arm, success)) for arm in alive}
    return [arm for arm in alive if not any(lead.mean > ELIMINATION_ERRORS * lead.error for lead in behind[arm])]


def better_half(rows: Sequence[ReplayRow], alive: Sequence[str]) -> list[str]:
    """The better half of the candidates by mean gain, but never fewer than `LEAST_STANDING`, in their old order.

    Successive halving (Karnin, Koren & Somekh 2013): calls go to those between which the choice will fall.
    """
    rows = [strict(row) for row in rows]
    ranked = sorted(alive, key=lambda arm: (-_lead(rows, arm, BASELINE, success).mean, arm))
    kept = set(ranked[: max(LEAST_STANDING, (len(ranked) + 1) // 2)])
    return [arm for arm in alive if arm in kept]


def worth_of_more(rows: Sequence[ReplayRow], ahead: str, behind: str, more: int) -> float:
    """What `more` cases would add to the success rate by letting the one behind overtake, on average; 0..1.

    The expected value of sample information (Raiffa & Schlaifer 1961) of one comparison, with a flat prior: after n
    clusters with a lead d and variance v a cluster, `more` others move the lead by a normal with variance
    s^2 = v/n - v/(n + more), and overtaking is worth what the lead falls below zero: s (phi(d/s) - d/s Phi(-d/s)).
    Large for few clusters, 0 when nothing can change; 1 when fewer than `ELIMINATION_CLUSTERS` say how much it varies.
    """
    lead = _lead([strict(row) for row in rows], ahead, behind, success)
    if lead.clusters < ELIMINATION_CLUSTERS:
        return 1.0
    moves = lead.error * sqrt(more / (lead.clusters + more))
    if not moves:
        return 0.0
    z = lead.mean / moves
    return moves * (_NORMAL.pdf(z) - z * _NORMAL.cdf(-z))


def still_open(rows: Sequence[ReplayRow], alive: Sequence[str], more: int) -> list[str]:
    """The candidates between which `more` cases could still decide, the leader among them; one when it is settled.

    Another one stays where the cases to come are worth more than its share of `LEAST_GAIN`: what is given up by
    stopping is at most that, over all of them together.
    """
    if not alive:
        return []
    strictly = [strict(row) for row in rows]
    leader = max(alive, key=lambda arm: (_lead(strictly, arm, BASELINE, success).mean, arm))
    least = LEAST_GAIN / max(1, len(alive) - 1)
    return [arm for arm in alive if arm == leader or worth_of_more(rows, leader, arm, more) >= least]


def settled(rows: Sequence[ReplayRow], arm: str, more: int) -> bool:
    """Whether `more` cases would hardly take back that a candidate is better than baseline and null edit."""
    return all(worth_of_more(rows, arm, other, more) < LEAST_GAIN for other in (BASELINE, NULL_CONTROL))


def _lead(rows: Sequence[ReplayRow], arm: str, other: str, figure: Callable[[Outcome], int]) -> _Lead:
    means = cluster_means(rows, arm, other, figure)
    error = stdev(means) / sqrt(len(means)) if len(means) > 1 else 0.0
    return _Lead(fmean(means) if means else 0.0, error, len(means))


def _tied(rows: Sequence[ReplayRow], ahead: str, behind: str, figure: Callable[[Outcome], int]) -> bool:
    lead = _lead(rows, ahead, behind, figure)
    return lead.mean <= lead.error


def _errors(outcome: Outcome) -> int:
    return outcome.error_steps
