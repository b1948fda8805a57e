"""Of the contrasts that hold, those that no others account for: a greedy cover of the failures, and a look back.

Taken strongest first, each must still show its difference among the traces that the patterns before it do not explain:
a consequence, a symptom or another view of the same loss shows none there. What is strong is not always first in
cause, for a symptom may be seen in more tasks than what it is a symptom of; so at last each is asked once more beside
all others, and what then shows nothing of its own goes.

A pattern can only account for another's difference where its losing traces are more frequent on the other's losing arm,
and for no more than that surplus times its own effect. Traces are left out for patterns that could; to leave them out
for all would leave nothing of an agent that often loses in several ways.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ninefold.analysis.decisions.arms import Arms
from ninefold.analysis.decisions.matching import difference, share
from ninefold.analysis.decisions.screen import MET, Contrast
from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.tables import Ints
from ninefold.analysis.stats.stratified import Difference
from ninefold.analysis.stats.wilson import Z95

LEFT = 0.4
"""Share of its effect that must be left to a contrast."""
SAME = 0.8
"""Share of a contrast's losing traces that lose in one stronger contrast, from which it is another view of that one."""
ACCOUNTS = 0.1
"""Share of a contrast's effect from which a pattern that could account for it is looked at."""


@dataclass(frozen=True)
class Matched:
    """A contrast that `met` traces stand in, its difference, and both arms' (better, taken) figures."""

    contrast: Contrast
    arms: Arms
    found: Difference | None
    met: int
    sides: tuple[tuple[float, int], tuple[float, int]]

    @property
    def crude(self) -> tuple[float, float]:
        return self.sides[0][0], self.sides[1][0]

    @property
    def tasks(self) -> tuple[int, int]:
        return self.sides[0][1], self.sides[1][1]

    @property
    def p_value(self) -> float:
        if self.found is None or self.found.estimate <= 0:
            return 1.0
        return min(1.0, self.found.p_value * self.contrast.chances)

    @property
    def strength(self) -> float:
        """Half-widths of the interval between the estimate and 0."""
        if self.found is None:
            return 0.0
        own = self.found.estimate / max(self.found.high - self.found.estimate, 1e-9)
        return MET * own if self.contrast.family == "met" else own


@dataclass(frozen=True)
class Confirmed:
    """A contrast with its matched difference among the traces that no other pattern explains.

    `alone`: rows of the losing arm that no stronger pattern explains; `traces`, `failures` and `tasks` count all of it.
    """

    contrast: Contrast
    arms: Arms
    difference: Difference
    traces: int
    failures: int
    tasks: int
    alone: Ints


@dataclass(frozen=True)
class _Told:
    """A contrast that has been taken, the traces that lose in it, and what is left of it beside others."""

    matched: Matched
    lost: Flags
    alone: Difference


def cover(p: Sequences, held: Sequence[Matched], *, tried: int, rate: float, explained: Flags | None = None) -> tuple[
    list[Confirmed], list[tuple[Matched, Difference | None]]
]:  # fmt: skip
    """Patterns, strongest first, and the contrasts that others account for with what is left of them.

    `held` hold by themselves; `explained`: rows that patterns found elsewhere account for.
    """
    # Of those that are equally strong the one whose point fewest traces meet, for it says most.
    ranked = sorted(held, key=lambda m: (-round(2 * Z95 * m.strength), m.met))
    told, echoes = list[_Told](), list[tuple[Matched, Difference | None]]()
    for m in ranked:
        lost = m.arms.lost()
        # Benjamini and Hochberg's line once more, on which views of what was told already are no discoveries.
        line = rate * (len(told) + 1) / (tried * m.contrast.chances)
        alone = _alone(p, m, told, explained)
        same = max((share(t.lost[lost]) for t in told), default=0.0)
        if same < SAME and alone is not None and alone.p_value <= line and _left(alone, m) >= LEFT:
            told.append(_Told(m, lost, alone))
        else:
            echoes.append((m, alone))
    told, accounted = _beside_each_other(p, told, explained)
    return _confirmed(p, told, explained), echoes + accounted


def _alone(p: Sequences, m: Matched, others: Iterable[_Told], explained: Flags | None) -> Difference | None:
    """The difference among the traces that nothing explains which could account for it."""
    rows, won = m.arms.rows()
    left = np.ones(len(rows), bool) if explained is None else ~explained[rows]
    whole = bool(left.all())
    for other in others:
        own = other.lost[rows]
        surplus = share(own[~won]) - share(own[won])
        if surplus * _estimate(other.matched) >= ACCOUNTS * _estimate(m):
            left &= ~own
            whole = False
    return m.found if whole else difference(p, rows[left], won[left])


def _beside_each_other(p: Sequences, told: list[_Told], explained: Flags | None) -> tuple[
    list[_Told], list[tuple[Matched, Difference | None]]
]:  # fmt: skip
    """Each beside all others; of those with too little left the one with least goes, until all have enough."""
    gone: list[tuple[Matched, Difference | None]] = []
    while len(told) > 1:
        beside = []
        for t in told:
            alone = _alone(p, t.matched, [o for o in told if o is not t], explained)
            beside.append((_left(alone, t.matched), alone))
        worst = min(range(len(told)), key=lambda i: beside[i][0])
        if beside[worst][0] >= LEFT:
            return [_Told(t.matched, t.lost, a) for t, (_, a) in zip(told, beside, strict=True) if a], gone
        gone.append((told.pop(worst).matched, beside[worst][1]))
    return told, gone


def _confirmed(p: Sequences, told: Sequence[_Told], explained: Flags | None) -> list[Confirmed]:
    seen = np.zeros(len(p.solved), bool) if explained is None else explained.copy()
    out = []
    for t in told:
        m, lost = t.matched, np.flatnonzero(t.lost)
        failures = len(lost) - int(np.count_nonzero(p.solved[lost]))
        out.append(Confirmed(m.contrast, m.arms, t.alone, len(lost), failures, m.tasks[1], lost[~seen[lost]]))
        seen |= t.lost
    return out


def _estimate(m: Matched) -> float:
    return m.found.estimate if m.found is not None else 0.0


def _left(alone: Difference | None, m: Matched) -> float:
    """Share of a contrast's effect that is left to it; none where nothing is sure to be."""
    return alone.estimate / _estimate(m) if alone is not None and alone.low > 0 and m.found is not None else 0.0
