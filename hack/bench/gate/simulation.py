"""Simulated candidates for the gate's own test: seeded, and walked by counts instead of case by case.

Cases are pairs of outcomes with a given share of discordant ones (pairs in which exactly one arm succeeds), which is
what power depends on: two prompts of one model agree on most cases, whatever their two rates.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import exp, lgamma, log

from ninefold.gate.betting import log_capital
from ninefold.gate.mcnemar import p_value


@dataclass(frozen=True)
class Truth:
    """What a candidate really is: success rates of both arms, and the share of pairs on which they differ."""

    baseline: float
    candidate: float
    discordant: float

    @property
    def win(self) -> float:
        return (self.discordant + self.candidate - self.baseline) / 2

    @property
    def loss(self) -> float:
        return (self.discordant - self.candidate + self.baseline) / 2


def null(discordant: float) -> Truth:
    """A candidate that is no better, but different."""
    return Truth(0.6, 0.6, discordant)


@cache
def wins_needed(losses: int, alpha: float) -> int:
    """Fewest wins that prove a gain above zero in spite of so many losses; ties do not matter at zero."""
    wins = wins_needed(losses - 1, alpha) if losses else 0
    while log_capital({1.0: wins, -1.0: losses}, 0.0) < -log(alpha):
        wins += 1
    return wins


@cache
def wins_needed_exactly(losses: int, alpha: float) -> int:
    """The same for exact McNemar."""
    wins = wins_needed_exactly(losses - 1, alpha) if losses else 0
    while p_value(wins, losses) > alpha:
        wins += 1
    return wins


def walk(truth: Truth, cases: int, rng: random.Random) -> Iterator[tuple[int, int, int]]:
    """(cases, wins, losses) after each discordant case."""
    wins = losses = 0
    for n in range(1, cases + 1):
        draw = rng.random()
        if draw >= truth.discordant:
            continue
        wins, losses = (wins + 1, losses) if draw < truth.win else (wins, losses + 1)
        yield n, wins, losses


def first_proof(truth: Truth, cases: int, alpha: float, seed: int) -> int | None:
    """The case after which one who looks after every case would have stopped with a proof; None if never."""
    steps = walk(truth, cases, random.Random(seed))
    return next((n for n, wins, losses in steps if wins >= wins_needed(losses, alpha)), None)


def power_at(truth: Truth, cases: int, alpha: float, *, exactly: bool = False) -> float:
    """Probability of a proof in one look after all cases, exact: the sum over all numbers of wins and losses."""
    needed = wins_needed_exactly if exactly else wins_needed
    total, whole = 0.0, lgamma(cases + 1)
    for losses in range(cases + 1):
        for wins in range(needed(losses, alpha), cases - losses + 1):
            ties = cases - wins - losses
            ways = whole - lgamma(wins + 1) - lgamma(losses + 1) - lgamma(ties + 1)
            chance = wins * log(truth.win) + losses * log(truth.loss) + ties * log(1 - truth.discordant)
            total += exp(ways + chance)
        if losses > cases * truth.loss + 12 * (cases * truth.loss) ** 0.5:
            break  # beyond twelve standard deviations nothing is left to add
    return total


def clustered_null(clusters: int, size: int, rng: random.Random) -> list[float]:
    """Cluster means of a candidate that is no better, when the cases of a cluster mostly win or lose together."""
    means = []
    for _ in range(clusters):
        lean = rng.choice((0.05, 0.35))
        means.append(sum(_signed(lean, 0.4 - lean, rng) for _ in range(size)) / size)
    return means


def _signed(win: float, loss: float, rng: random.Random) -> int:
    draw = rng.random()
    return 1 if draw < win else -1 if draw < win + loss else 0
