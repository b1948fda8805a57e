"""Contrasts matched trace by trace within their task, and of those that say the same the one that explains most.

Each trace gives two bits per contrast: it stands on the losing arm, on the better one, or met the point not at all.
With these, a difference is a few sums per task. Contrasts are then taken strongest first, and each later one must still
show its difference among the traces that no earlier pattern explains: what was only a consequence, a symptom or
another view of the same loss shows none there. (A greedy cover of the failures, with the excess instead of the count.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ninefold.analysis.decisions import statements
from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.screen import MET, Contrast, Ints
from ninefold.analysis.engine import Engine
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.stratified import Difference
from ninefold.analysis.stats.wilson import Z95

STILL = 0.05
"""p at which a contrast still holds among traces that stronger ones do not explain, shared by all that are tried."""
LEFT = 0.4
"""Share of its effect that must be left there."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Population:
    """One entry a trace, in the order of the engine's `n`. Bit i of `taken` and `better` is contrast i."""

    stratum: Ints
    cluster: Ints
    support: Ints
    solved: Ints
    taken: NDArray[np.uint64]
    better: NDArray[np.uint64]

    def lost(self, i: int) -> Flags:
        return np.asarray((self.taken >> np.uint64(i)) & np.uint64(1) == 1)

    def won(self, i: int) -> Flags:
        return np.asarray((self.better >> np.uint64(i)) & np.uint64(1) == 1)


@dataclass(frozen=True)
class Confirmed:
    """A contrast with its matched difference. `alone`: rows of the losing arm that no stronger pattern explains."""

    contrast: Contrast
    bit: int
    difference: Difference
    traces: int
    failures: int
    tasks: int
    alone: Flags


@dataclass(frozen=True)
class Declined:
    """Why a contrast that stood out is no pattern: `support`, `TaskMix` or `explained`."""

    contrast: Contrast
    why: str
    crude: tuple[float, float]
    difference: Difference | None
    tasks: tuple[int, int]


def condition(c: Contrast, symbols: Sequence[Symbol]) -> tuple[str, str]:
    """Two SQL expressions over `seq`: whether a trace stands on the losing arm, and on the better one."""
    only = f"intent IN ({', '.join(_quoted(i) for i in c.intents)}) AND " if c.intents is not None else ""
    if c.family == "met":
        met = f"has(seq, {c.point[0]})"
        return f"{only}{met}", f"{only}NOT {met}"
    if c.family == "next":
        following = f"seq[indexOf(seq, {c.point[0]}) + 1]"
        here = f"{only}has(seq, {c.point[0]})"
        return f"{here} AND {following} IN ({_list(c.taken)})", f"{here} AND {following} IN ({_list(c.better)})"
    # The first place of several codes: 0 (absent) counts as beyond the end.
    act, other = (f"least({', '.join(f'toUInt32(indexOf(seq, {i}) - 1)' for i in (*codes, 0))})"
                  for codes in (c.taken, c.better))  # fmt: skip
    here = f"{only}hasAny(seq, [{_list(c.taken)}])"
    return f"{here} AND {act} <= {other}", f"{here} AND {act} > {other}"


def _list(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def gather(engine: Engine, contrasts: Sequence[Contrast], symbols: Sequence[Symbol], same_task: bool) -> Population:
    """Read the arms of all contrasts in one pass. Without a task key, strata are intents."""
    conditions = [condition(c, symbols) for c in contrasts] or [("0", "0")]
    rows = engine.arrow(statements.arms(conditions))

    def number(name: str) -> Ints:
        column: Ints = rows[name].combine_chunks().to_numpy(zero_copy_only=False)
        return np.unique(column, return_inverse=True)[1]

    task = number("task")
    intents = rows["intent"].cast(pa.string()).combine_chunks().dictionary_encode()
    intent: Ints = intents.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    taken, better = (rows[c].combine_chunks().to_numpy(zero_copy_only=False).astype(np.uint64)
                     for c in ("taken", "better"))  # fmt: skip
    solved = rows["solved"].to_numpy().astype(np.int64)
    return Population(task if same_task else intent, number("cluster"), task, solved, taken, better)


def difference(p: Population, lost: Flags, won: Flags) -> Difference | None:
    """Matched difference (better − taken) with the variance over clusters; None without a stratum that holds both.

    The variance is the larger of the null variance of Cochran-Mantel-Haenszel and the sum of squared influences by
    cluster (the linearised delete-one-cluster jackknife).
    """
    met = np.flatnonzero(lost | won)
    size = int(p.stratum.max()) + 1 if len(p.stratum) else 0
    own, won = p.stratum[met], won[met]
    # Strata without both arms say nothing, and are most of them: leave them before anything else is done.
    arms = np.bincount(own[won], minlength=size) > 0
    arms &= np.bincount(own[~won], minlength=size) > 0
    inside = arms[own]
    met, won = met[inside], won[inside]
    numbers = np.cumsum(arms) - 1
    stratum, solved, size = numbers[own[inside]], p.solved[met], int(arms.sum())
    n1, n0 = np.bincount(stratum[won], minlength=size), np.bincount(stratum[~won], minlength=size)
    x1 = np.bincount(stratum[won], solved[won], size)
    x0 = np.bincount(stratum[~won], solved[~won], size)
    both = (n1 > 0) & (n0 > 0)
    strata = int(both.sum())
    if not strata:
        return None
    total = np.maximum(n1 + n0, 1)
    weight = np.where(both, n1 * n0 / total, 0.0)
    top = np.where(both, (x1 * n0 - x0 * n1) / total, 0.0)
    whole = float(weight.sum())
    estimate = float(top.sum()) / whole
    share = (x1 + x0) / total
    null = float((weight * share * (1 - share) * total / np.maximum(total - 1, 1)).sum()) / whole**2
    # Influence of one trace: its weighted residual within its stratum and arm, and the stratum's own excess.
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(
            won, (solved - (x1 / n1)[stratum]) / n1[stratum], -(solved - (x0 / n0)[stratum]) / n0[stratum]
        )
        excess = (top - estimate * weight)[stratum] / total[stratum]
    influence = np.where(both[stratum], weight[stratum] * residual + excess, 0.0)
    by_cluster = np.bincount(p.cluster[met], influence)
    variance = max(null, float((by_cluster**2).sum()) / whole**2)
    half = Z95 * math.sqrt(variance)
    p_value = math.erfc(abs(estimate) / math.sqrt(2 * variance)) if variance > 0 else float(estimate == 0)
    return Difference(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), p_value, strata)


def confirm(p: Population, contrasts: Sequence[Contrast], *, tried: int, min_support: int, rate: float,
            explained: Flags | None = None) -> tuple[list[Confirmed], list[Declined]]:  # fmt: skip
    """Patterns, strongest first, and what stood out for another reason. `explained`: rows that others account for."""
    refused: list[Declined] = []
    matched: list[tuple[int, Difference]] = []
    for i, contrast in enumerate(contrasts):
        lost, won = p.lost(i), p.won(i)
        found = difference(p, lost, won)
        tasks = distinct(p.support[won]), distinct(p.support[lost])
        crude = _mean(p.solved[won]), _mean(p.solved[lost])
        if min(tasks) < min_support or found is None or found.strata < min_support:
            refused.append(Declined(contrast, "support", crude, found, tasks))
        else:
            matched.append((i, found))
    p_values = [d.p_value if d.estimate > 0 else 1.0 for _, d in matched] + [1.0] * max(0, tried - len(matched))
    keep = benjamini_hochberg(p_values, rate)
    held = []
    for (i, d), kept in zip(matched, keep, strict=False):
        if kept and d.low > 0:
            held.append((i, d))
        else:
            lost, won = p.lost(i), p.won(i)
            crude = _mean(p.solved[won]), _mean(p.solved[lost])
            tasks = distinct(p.support[won]), distinct(p.support[lost])
            refused.append(Declined(contrasts[i], "TaskMix", crude, d, tasks))
    # Of those that are equally strong the one whose point fewest traces meet, for it says most.
    held.sort(
        key=lambda h: (-round(2 * Z95 * _strength(contrasts[h[0]], h[1])), int((p.lost(h[0]) | p.won(h[0])).sum()))
    )
    explained = np.zeros(len(p.solved), bool) if explained is None else explained.copy()
    kept_ones: list[Confirmed] = []
    for i, d in held:
        lost, won = p.lost(i), p.won(i)
        alone = difference(p, lost & ~explained, won & ~explained) if explained.any() else d
        if alone is None or alone.p_value > STILL / len(held) or alone.low <= 0 or alone.estimate < LEFT * d.estimate:
            crude = _mean(p.solved[won]), _mean(p.solved[lost])
            refused.append(Declined(contrasts[i], "explained", crude, alone, (0, 0)))
            continue
        rows = lost & ~explained
        failures = int((1 - p.solved[lost]).sum())
        tasks_lost = distinct(p.support[lost])
        kept_ones.append(Confirmed(contrasts[i], i, d, int(lost.sum()), failures, tasks_lost, rows))
        explained |= lost
    return kept_ones, refused


def distinct(numbers: Ints) -> int:
    """How many different ones there are among small numbers; without sorting them."""
    return int(np.count_nonzero(np.bincount(numbers))) if len(numbers) else 0


def _strength(contrast: Contrast, d: Difference) -> float:
    """Half-widths of the interval between the estimate and 0."""
    return (MET if contrast.family == "met" else 1.0) * d.estimate / max(d.high - d.estimate, 1e-9)


def _mean(values: Ints) -> float:
    return float(values.mean()) if len(values) else 0.0


def first_codes(symbols: Sequence[Symbol]) -> list[str]:
    """Actions by how early they were met, at most 63: as many as have a bit."""
    actions = list(dict.fromkeys(s.action for s in symbols[START:]))
    return actions[:63]
