"""Contrasts matched trace by trace within their task: which hold over everything that was tried (`cover` goes on)."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ninefold.analysis.decisions.arms import Arms
from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.cover import Confirmed, Matched, cover
from ninefold.analysis.decisions.matching import difference, distinct, repeats, share
from ninefold.analysis.decisions.screen import Contrast
from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.tables import Ints
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.power import Repeats
from ninefold.analysis.stats.stratified import Difference

WORKERS = 2
"""Contrasts that are matched at a time: what a small pod has of cores."""


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
    matched: list[Matched] = []
    for one in _all(p, contrasts):
        if one.found is None or min(one.tasks) < min_support or one.found.strata < min_support:
            refused.append(_declined(one, "support", p))
        else:
            matched.append(one)
    p_values = [m.p_value for m in matched] + [1.0] * max(0, tried - len(matched))
    keep = benjamini_hochberg(p_values, rate)
    held = [m for m, kept in zip(matched, keep, strict=False) if kept and m.found is not None and m.found.low > 0]
    refused += [_declined(m, "TaskMix", p) for m in matched if m not in held]
    told, echoes = cover(p, held, tried=tried, rate=rate, explained=explained)
    return told, refused + [Declined(m.contrast, "explained", m.crude, alone, (0, 0)) for m, alone in echoes]


def _declined(m: Matched, why: str, p: Sequences) -> Declined:
    return Declined(m.contrast, why, m.crude, m.found, m.tasks, repeats(p, *m.arms.rows()))


def _all(p: Sequences, contrasts: Sequence[Contrast]) -> Iterator[Matched]:
    """Every contrast in its order, `WORKERS` at a time, for what takes long holds no lock."""

    def matched(contrast: Contrast) -> Matched:
        rows, won = p.stand(contrast)
        arms = Arms.of(len(p.n), rows, won)
        return Matched(contrast, arms, difference(p, rows, won), len(rows), sides(p, rows, won))

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(matched, contrasts)


def sides(p: Sequences, rows: Ints, won: Flags) -> tuple[tuple[float, int], tuple[float, int]]:
    """(share solved, distinct tasks) of the better arm and of the losing one."""
    better, taken = ((share(p.solved[own]), distinct(p.support[own])) for own in (rows[won], rows[~won]))
    return better, taken


def first_codes(symbols: Sequence[Symbol]) -> list[str]:
    """Actions by how early they were met, at most 63: as many as have a bit."""
    actions = list(dict.fromkeys(s.action for s in symbols[START:]))
    return actions[:63]
