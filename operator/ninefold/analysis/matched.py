"""How the arms of a question are matched, and whether what is found within states holds within tasks too.

Within one task nothing but the decision differs, but few tasks have met both arms. Within intent and state there are
many traces, but harder tasks may stand on one side. So where tasks recur, both must speak: the difference within
states finds, that within tasks must agree, and the estimate weighs the two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ninefold.analysis.stats.stratified import Cell, Difference, compare, informative, one_sided
from ninefold.analysis.stats.wilson import Z95

Matching = Literal["task", "task and state", "intent and state"]

DECISIVE = 0.2
"""Half the width of the within-task interval, up to which it decides alone. Wider ones cannot tell a difference that
matters from none, so to go by them would make more data a reason to see less."""
FEWEST = 5
"""Tasks that ran more than once from which tasks recur, and tasks with both arms without which nothing is claimed."""
WITHIN, CLEAR = 0.065, 0.01
"""One-sided p within tasks (exact, mid-p) up to which a difference within states holds within them too: while all that
were asked before it hold, and by itself."""
CONFOUNDED = 0.1
"""Standard deviation of what is left of differences between tasks within intent and state: about what it was where
both could be measured."""


@dataclass(frozen=True)
class Matched:
    """`difference` is None where nothing identifies it. `chance`: one-sided p within tasks, where they must agree."""

    how: Matching | None
    difference: Difference | None
    within: Difference | None
    chance: float | None = None


def match(task: Sequence[Cell], state: Sequence[Cell], recurring: int, min_support: int) -> Matched:
    """`task` and `state` are the cells of either way of matching; `recurring`: tasks that met the point twice."""
    within, by_state = compare(task), compare(state)
    strata = within.strata if within is not None else 0
    if within is not None and strata >= min_support and (by_state is None or _half(within) <= DECISIVE):
        return Matched("task", within, within)
    if by_state is None:
        return Matched(None, None, within)
    if recurring < FEWEST:
        return Matched("intent and state", by_state, within)
    if within is None or strata < FEWEST:
        return Matched(None, None, within)
    return Matched("task and state", combined(within, by_state), within, one_sided(informative(task)))


def combined(exact: Difference, near: Difference) -> Difference:
    """An estimate that is exact but wide and one that is narrow but maybe biased, weighed by precision.

    The second one's variance is enlarged by that of its bias, so that the exact one takes over as data grow. Its p is
    that of the second. Source: E. J. Green, W. E. Strawderman, "A James-Stein Type Estimator for Combining Unbiased and
    Possibly Biased Estimators", JASA 86 (1991), with a bias of known size.
    """
    # A handful of strata that agree by chance has no variance of its own: it is as sure as half a stratum allows.
    a = 1 / max(_half(exact) / Z95, 0.5 / exact.strata) ** 2
    b = 1 / ((_half(near) / Z95) ** 2 + CONFOUNDED**2)
    estimate, half = (a * exact.estimate + b * near.estimate) / (a + b), Z95 / math.sqrt(a + b)
    low, high = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Difference(estimate, low, high, near.p_value, exact.strata)


def agreeing(matched: Sequence[Matched]) -> list[bool]:
    """Which hold within tasks, of those that were found, in the order in which they were asked.

    One after the other, each at the whole level, up to the first that does not: so the chance of any false one is that
    of one (fixed-sequence test). What is clear beyond doubt needs no place in that line. Source: W. Maurer, L. A.
    Hothorn, W. Lehmacher, in "Biometrie in der chemisch-pharmazeutischen Industrie" 6 (1995).
    """
    out, going = [], True
    for m in matched:
        going = going and (m.chance is None or m.chance <= WITHIN)
        out.append(m.chance is None or m.chance <= (WITHIN if going else CLEAR))
    return out


def _half(d: Difference) -> float:
    return (d.high - d.low) / 2
