"""How many runs of each task a matched contrast needs.

With r runs of each of T tasks, the Mantel-Haenszel weight of a task is on average (r − 1)/2 times the chance m that two
of its runs stand on different arms; the outcome's variance within a task is half the chance s that two of its runs end
differently. So the variance of the difference is s / (T (r − 1) m), and what is needed follows.
"""

import math
from dataclasses import dataclass

from ninefold.analysis.stats.wilson import Z95

POWER80 = 0.8416
"""Quantile of the normal distribution for a power of 80 %."""
MOST = 1_000
"""Runs of a task from which the answer is that runs will not tell."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """`tasks` of which `runs` traces met the point; of two runs of one task, the shares that differ in arm and in
    outcome (0 where no task ran twice)."""

    tasks: int
    runs: int
    arms: float
    outcomes: float


def runs_needed(seen: Repeats, effect: float, min_support: int) -> int | None:
    """Runs of each task that show a difference of `effect` with a power of 80 % (two-sided 5 %), and in which
    `min_support` tasks meet both arms. None when runs will not tell: too few tasks, or arms that follow the task."""
    if seen.tasks < min_support or seen.arms <= 0 or effect <= 0:
        return None
    precise = 1 + (Z95 + POWER80) ** 2 * seen.outcomes / (seen.tasks * seen.arms * effect**2)
    if precise > MOST:
        return None
    # A chance q of one arm in every task, with 2 q (1 - q) the share of pairs that differ.
    q = (1 - math.sqrt(max(0.0, 1 - 2 * min(0.5, seen.arms)))) / 2
    needed = max(2, math.ceil(precise))
    while seen.tasks * (1 - q**needed - (1 - q) ** needed) < min_support:
        needed += 1
        if needed > MOST:
            return None
    return needed


def told(seen: Repeats, effect: float, min_support: int) -> str:
    """What would tell, as the end of a sentence."""
    needed = runs_needed(seen, effect, min_support)
    now = seen.runs / max(1, seen.tasks)
    if needed is None:
        if seen.tasks < min_support:
            return f"at least {min_support} tasks are needed, {seen.tasks} are there"
        return "runs of one task hardly ever differ in it: more runs of the same tasks will not tell"
    return (
        f"about {max(needed, math.floor(now) + 1)} runs of each of the {seen.tasks} tasks are needed to tell "
        f"{effect * 100:.0f} points within them (power 80 %), {now:.1f} are there"
    )
