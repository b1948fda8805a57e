"""The exact McNemar test at a fixed number of pairs: the alternative to the betting sequence, chosen in the policy.

Clusters are the unit: a cluster counts as a win when its mean difference is positive, as a loss when it is negative,
and as a tie at zero. Given the number of wins and losses together, wins are Binomial(wins + losses, 1/2) under "no
difference", so the p-value is a tail of that (McNemar 1947, exact form). Valid for one look at a number of cases fixed
beforehand, and against a required gain of zero only; the policy's schema refuses any other.
"""

from collections.abc import Callable
from math import exp, fsum, lgamma, log, log1p

_STEPS = 60


def p_value(wins: int, losses: int) -> float:
    """Probability of at least `wins` wins among the discordant clusters if both arms were equal: one-sided."""
    return tail(wins, wins + losses, 0.5)


def lower_bound(wins: int, losses: int, clusters: int, alpha: float) -> float:
    """Lower bound, in [-1, 1], of the share of clusters won less the share lost; -1 without clusters.

    (2 t - 1) * (wins + losses) / clusters with t the Clopper-Pearson lower bound of the share of wins among discordant
    clusters: exact given how many clusters are discordant, and at least zero exactly when `p_value` is at most alpha.
    """
    if not clusters:
        return -1.0
    discordant = wins + losses
    share = _bisect(lambda t: tail(wins, discordant, t) <= alpha) if wins else 0.0
    return (2 * share - 1) * discordant / clusters


def tail(least: int, n: int, p: float) -> float:
    """P(X >= least) for X ~ Binomial(n, p), 0 < p < 1."""
    if least <= 0:
        return 1.0
    whole = lgamma(n + 1)
    logs = (whole - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p) for k in range(least, n + 1))
    return min(1.0, fsum(map(exp, logs)))


def _bisect(holds: Callable[[float], bool]) -> float:
    """Largest share in (0, 1) at which a condition that fails from some share on still holds."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
