"""Simulated candidates for the gate's own test: seeded, and judged by the gate's own functions.

Cases are pairs of outcomes with a given share of discordant ones (pairs in which exactly one arm succeeds), which is
what power depends on: two prompts of one model agree on most cases, whatever their two rates.
"""

import random
from dataclasses import dataclass

from ninefold.betting import refuted_after, stakes_for
from ninefold.gate import alpha_of
from ninefold.gate.mcnemar import p_value


@dataclass(frozen=True)
class Truth:
    """What a candidate really is: success rates of both arms, and the share of pairs on which they differ."""

    baseline: float
    candidate: float
    discordant: float

    def differences(self, cases: int, rng: random.Random) -> list[float]:
        """One paired difference (-1, 0 or 1) a case."""
        win = (self.discordant + self.candidate - self.baseline) / 2
        return [_difference(rng.random(), win, self.discordant) for _ in range(cases)]


def null(discordant: float) -> Truth:
    """A candidate that is no better, but different."""
    return Truth(0.6, 0.6, discordant)


def clustered_null(clusters: int, size: int, rng: random.Random) -> list[float]:
    """Cluster means of a candidate that is no better, when the cases of a cluster mostly win or lose together."""
    wins = [rng.choice((0.05, 0.35)) for _ in range(clusters)]
    return [sum(_difference(rng.random(), win, 0.4) for _ in range(size)) / size for win in wins]


def proofs(truth: Truth, cases: int, alpha: float, candidates: int) -> list[int | None]:
    """For each of so many candidates: after how many cases one who looks after every case has a proof of a gain."""
    stakes = stakes_for(cases, alpha)
    return [refuted_after(truth.differences(cases, random.Random(n)), 0.0, alpha, stakes) for n in range(candidates)]


def exact_proofs(truth: Truth, cases: int, alpha: float, candidates: int) -> int:
    """How many candidates the exact McNemar test proves, in one look after all cases."""
    samples = [truth.differences(cases, random.Random(n)) for n in range(candidates)]
    return sum(p_value(values.count(1), values.count(-1)) <= alpha for values in samples)


def agents_fooled(truth: Truth, cases: int, alpha: float, cycles: int, agents: int) -> int:
    """How many agents ever get a proof in so many cycles, each with a candidate and sealed cases of its own."""
    fooled = 0
    for agent in range(agents):
        fooled += any(
            refuted_after(
                truth.differences(cases, random.Random(f"{agent}/{cycle}")),
                0.0,
                alpha_of(alpha, cycle),
                stakes_for(cases, alpha_of(alpha, cycle)),
            )
            is not None
            for cycle in range(1, cycles + 1)
        )
    return fooled


def share(found: list[int | None]) -> float:
    return sum(at is not None for at in found) / len(found)


def _difference(draw: float, win: float, discordant: float) -> int:
    return 1 if draw < win else -1 if draw < discordant else 0
