"""What the sealed cases can find, told before they are opened: the gain that the gate proves with a power of 0.8.

Opening them spends calls and alpha, so it must be known what that buys. The figures are for clusters that win, lose or
tie, with the share of them that do not tie as the race has seen it:

- betting: the log capital of a constant stake is a random walk with known drift and variance, and the chance that it
  reaches log(1/alpha) within n steps is that of Brownian motion (Bachelier-Lévy: Φ((μn - b)/(σ√n)) +
  exp(2μb/σ²) Φ((-b - μn)/(σ√n))). The best stake of the mixture counts, which understates the mixture a little;
- exact McNemar: the exact power at the expected number of clusters that do not tie.

Pure, standard library only. hack/bench/gate holds the figures against simulated candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

from ninefold.api.outcomes import ReplayReport
from ninefold.api.policy import Gate
from ninefold.betting import USUAL_VARIANCE, stakes_for
from ninefold.gate import mcnemar
from ninefold.gate.evidence import alpha_of
from ninefold.pairing import paired

POWER = 0.8
LEAST_CLUSTERS = 20
"""Clusters from which on the race's own share of differing ones is taken instead of the usual one."""
LEAST_DIFFERING = 0.05
_STEPS = 30
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Foreseen:
    """What a sealed replay can find. `gain`: with power 0.8, in 0..1; None: not even a gain of all cases."""

    cases: int
    clusters: int
    alpha: float
    cycle: int
    gain: float | None
    test: str

    def __str__(self) -> str:
        what = f"{self.cases} sealed cases" + (f" in {self.clusters} clusters" if self.clusters < self.cases else "")
        found = "no gain at all" if self.gain is None else f"+{self.gain * 100:.1f} pp"
        return f"{what} find {found} with power {POWER} at alpha {self.alpha:.3g} (cycle {self.cycle})"


def foreseen(cases: int, race: ReplayReport, winner: str, gate: Gate, cycle: int) -> Foreseen:
    """What so many sealed cases can find, with clusters and differences as the race has seen them."""
    replayed = len(race.rows)
    share = len({row.cluster for row in race.rows}) / replayed if replayed else 1.0
    clusters = max(1, round(cases * share))
    differing = differing_share(race, winner)
    alpha = alpha_of(gate.alpha, cycle)
    return Foreseen(cases, clusters, alpha, cycle, detectable(clusters, alpha, gate, differing), gate.test)


def differing_share(report: ReplayReport, arm: str) -> float:
    """Mean square of the clusters' differences: for single cases, the share on which the arms differ."""
    means = paired(report.rows, arm).means
    if len(means) < LEAST_CLUSTERS:
        return USUAL_VARIANCE
    return max(LEAST_DIFFERING, sum(x * x for x in means) / len(means))


def detectable(clusters: int, alpha: float, gate: Gate, differing: float = USUAL_VARIANCE) -> float | None:
    """The smallest gain in 0..1 that is proved with a power of at least `POWER`; None when none is."""
    if power(1.0, clusters, alpha, gate, differing) < POWER:
        return None
    low, high = gate.min_improvement, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, clusters, alpha, gate, differing) >= POWER else (middle, high)
    return high


def power(gain: float, clusters: int, alpha: float, gate: Gate, differing: float = USUAL_VARIANCE) -> float:
    """Chance in 0..1 that a true gain is proved on so many clusters, of which a share of `differing` does not tie."""
    differing = min(1.0, max(differing, gain))
    win, lose = (differing + gain) / 2, (differing - gain) / 2
    if gate.test == "ExactMcNemar":
        return _mcnemar(round(clusters * differing), win / differing, alpha)
    chances = ((1.0, win), (0.0, max(0.0, 1 - win - lose)), (-1.0, lose))
    return max(
        _walk(
            [(log(1 - c + c * (x + 1) / (gate.min_improvement + 1)), p) for x, p in chances], clusters, -log(w * alpha)
        )
        for c, w in stakes_for(clusters, alpha)
    )


def _walk(steps: Sequence[tuple[float, float]], clusters: int, barrier: float) -> float:
    """Chance that the sum of so many steps, (size, probability) each, ever reaches the barrier."""
    drift = sum(s * p for s, p in steps)
    variance = sum((s - drift) ** 2 * p for s, p in steps)
    if variance * clusters < 1e-12:
        return float(drift * clusters >= barrier)
    spread = sqrt(variance * clusters)
    at_end = _NORMAL.cdf((drift * clusters - barrier) / spread)
    before = _NORMAL.cdf((-barrier - drift * clusters) / spread)
    return min(1.0, at_end + (exp(min(700.0, 2 * drift * barrier / variance)) * before if before > 0 else 0.0))


def _mcnemar(differing: int, wins: float, alpha: float) -> float:
    needed = next((k for k in range(differing + 1) if mcnemar.p_value(k, differing - k) <= alpha), None)
    if needed is None:
        return 0.0
    return 1.0 if wins >= 1 else mcnemar.tail(needed, differing, wins)
