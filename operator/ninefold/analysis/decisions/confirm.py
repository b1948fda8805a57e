"""Contrasts matched trace by trace within their task, and of those that say the same the one that explains most.

Contrasts are then taken strongest first, and each later one must still
show its difference among the traces that no earlier pattern explains: what was only a consequence, a symptom or
another view of the same loss shows none there. (A greedy cover of the failures, with the excess instead of the count.)
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ninefold.analysis.decisions.arms import Arms
from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.matching import difference, distinct, repeats, share
from ninefold.analysis.decisions.screen import MET, Contrast
from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.tables import Ints
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.power import Repeats
from ninefold.analysis.stats.stratified import Difference
from ninefold.analysis.stats.wilson import Z95

WORKERS = 2
"""Contrasts that are matched at a time: what a small pod has of cores."""
LEFT = 0.4
"""Share of its effect that must be left there."""
SAME = 0.8
"""Share of a contrast's losing traces that lose in one stronger contrast, from which it is another view of that one."""


@dataclass(frozen=True)
class Confirmed:
    """A contrast with its matched difference among the traces that no stronger pattern explains.

    `alone`: those of them on the losing arm; `traces`, `failures` and `tasks` count the whole of it.
    """

    contrast: Contrast
    arms: Arms
    difference: Difference
    traces: int
    failures: int
    tasks: int
    alone: Ints


@dataclass(frozen=True)
class Declined:
    """Why a contrast that stood out is no pattern: `support`, `TaskMix` or `explained`.

    `repeats`: how runs of one task differ at its point, where that is what too few tell.
    """

    contrast: Contrast
    why: str
    crude: tuple[float, float]
    difference: Difference | None
    tasks: tuple[int, int]
    repeats: Repeats | None = None


def confirm(p: Sequences, contrasts: Sequence[Contrast], *, tried: int, min_support: int, rate: float,
            explained: Flags | None = None) -> tuple[list[Confirmed], list[Declined]]:  # fmt: skip
    """Patterns, strongest first, and what stood out for another reason. `explained`: rows that others account for."""
    refused: list[Declined] = []
    matched: list[_Matched] = []
    for one in _all(p, contrasts):
        if one.found is None or min(one.tasks) < min_support or one.found.strata < min_support:
            refused.append(one.declined("support", p))
        else:
            matched.append(one)
    p_values = [m.p_value for m in matched] + [1.0] * max(0, tried - len(matched))
    keep = benjamini_hochberg(p_values, rate)
    held = [m for m, kept in zip(matched, keep, strict=False) if kept and m.found is not None and m.found.low > 0]
    refused += [m.declined("TaskMix", p) for m in matched if m not in held]
    # Of those that are equally strong the one whose point fewest traces meet, for it says most.
    held.sort(key=lambda m: (-round(2 * Z95 * m.strength), m.met))
    explained = np.zeros(len(p.solved), bool) if explained is None else explained.copy()
    confirmed: list[Confirmed] = []
    losing: list[Flags] = []
    for m in held:
        rows, won = m.arms.rows()
        lost = rows[~won]
        left = ~explained[rows]
        alone = m.found if left.all() else difference(p, rows[left], won[left])
        told = max((share(flags[lost]) for flags in losing), default=0.0)
        # Benjamini and Hochberg's line once more, on which views of what was told already are no discoveries.
        line = rate * (len(confirmed) + 1) / (tried * m.contrast.chances)
        if told >= SAME or alone is None or not _still(alone, m.found, line):
            refused.append(Declined(m.contrast, "explained", m.crude, alone, (0, 0)))
            continue
        failures = len(lost) - int(np.count_nonzero(p.solved[lost]))
        own = lost[~explained[lost]]
        confirmed.append(Confirmed(m.contrast, m.arms, alone, len(lost), failures, m.tasks[1], own))
        losing.append(m.arms.lost())
        explained |= losing[-1]
    return confirmed, refused


def _still(alone: Difference, found: Difference | None, line: float) -> bool:
    """Whether a contrast holds among the traces that stronger ones leave."""
    most = found.estimate if found is not None else 1.0
    return alone.p_value <= line and alone.low > 0 and alone.estimate >= LEFT * most


@dataclass(frozen=True)
class _Matched:
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

    def declined(self, why: str, p: Sequences) -> Declined:
        return Declined(self.contrast, why, self.crude, self.found, self.tasks, repeats(p, *self.arms.rows()))


def _all(p: Sequences, contrasts: Sequence[Contrast]) -> Iterator[_Matched]:
    """Every contrast in its order, `WORKERS` at a time, for what takes long holds no lock."""

    def matched(contrast: Contrast) -> _Matched:
        rows, won = p.stand(contrast)
        arms = Arms.of(len(p.n), rows, won)
        return _Matched(contrast, arms, difference(p, rows, won), len(rows), _sides(p, rows, won))

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(matched, contrasts)


def _sides(p: Sequences, rows: Ints, won: Flags) -> tuple[tuple[float, int], tuple[float, int]]:
    """(share solved, distinct tasks) of the better arm and of the losing one."""
    better, taken = ((share(p.solved[own]), distinct(p.support[own])) for own in (rows[won], rows[~won]))
    return better, taken


def first_codes(symbols: Sequence[Symbol]) -> list[str]:
    """Actions by how early they were met, at most 63: as many as have a bit."""
    actions = list(dict.fromkeys(s.action for s in symbols[START:]))
    return actions[:63]
