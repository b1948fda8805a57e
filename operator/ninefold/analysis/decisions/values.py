"""What a state is worth: the chance of success of a trace that stands there and goes on.

States are hierarchical: everybody, the intent, the last step, the last two steps, each within the intent and at the
place in the trace; a rare state leans on the more common one above it (shrinkage). Its own outcome never speaks for a
trace: tables are read leave-one-out. A small logistic model, cross-fitted over tasks, weighs the levels, for which of
them says more differs from agent to agent, and brings the values onto a true scale. Fitted and scored on traces that
go on: an ended trace has no value to predict. Calibration is measured on tasks that the fit has not seen (five folds).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ninefold.analysis.decisions.tables import PLACES, Ints, States
from ninefold.analysis.stats.wilson import Z95
from ninefold.api.findings import SLOPE, WEAK_AUC, WEAK_SKILL, Calibration

PRIOR = 32.0
"""Traces that the state above is worth in the value of one below it."""
FOLDS = 5
RIDGE = 10.0
LATE = 3
"""Calibration is scored where traces stand after so many steps, if they go on from there."""

Floats = NDArray[Any]
Key = tuple[str, int, int, int]


@dataclass(frozen=True)
class _States:
    """Distinct states: their parts, and by fold how often they were met and solved."""

    intents: list[str]
    intent: Ints
    before: Ints
    last: Ints
    place: Ints
    n: Ints  # (folds, states)
    x: Ints

    def groups(self) -> list[Ints]:
        """For each level the number of the group that a state is in; the first level is everybody."""
        i, b, c, k = self.intent, self.before, self.last, self.place
        levels = [
            np.zeros_like(i), i, c, i * 65_536 + c, k * 65_536 + c, b * 65_536 + c, (i * 65_536 + b) * 65_536 + c,
            ((i * 65_536 + b) * 65_536 + c) * 16 + k,
        ]  # fmt: skip
        return [np.unique(level, return_inverse=True)[1] for level in levels]


@dataclass(frozen=True)
class Values:
    """`of(intent, before, last, place)` is a value and its standard error; unknown states lean on what is above."""

    known: Mapping[Key, "Known"]
    by_intent: Mapping[str, tuple[float, float]]
    everybody: tuple[float, float]
    calibration: Calibration

    def of(self, intent: str, before: int, last: int, place: int, without: bool | None = None) -> tuple[float, float]:
        """`without`: the outcome of a trace that is in the fit and has no say here (leave-one-out)."""
        known = self.known.get((intent, before, last, min(place, PLACES)))
        if known is None:
            return self.by_intent.get(intent) or self.everybody
        return (known.value if without is None else known.others[int(without)]), known.error


class Known(NamedTuple):
    """A state's value, its standard error, and its value without one trace that failed, or that succeeded."""

    value: float
    error: float
    others: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Credit:
    """What one step changed: the value after it less the value before it, with a 95 % interval."""

    value: float
    credit: float
    low: float
    high: float


def fit(table: States) -> Values:
    """Values and their held-out calibration from the table of states."""
    s = _states(table)
    if not s.n.size:
        nothing = Calibration(traces=0, auc=0.5, brier_skill=0.0, slope=0.0, weak=True)
        return Values({}, {}, (0.0, 0.0), nothing)
    groups = s.groups()
    calibration = _calibrate(s, groups)
    n, x = s.n.sum(0), s.x.sum(0)
    weights = _fit(groups, s.n, s.x)
    value = _sigmoid(_features(groups, n, x, groups, None) @ weights)
    failed, solved = (_sigmoid(_features(groups, n, x, groups, outcome) @ weights) for outcome in (False, True))
    error = np.sqrt(value * (1 - value) / (n + PRIOR))
    cells = (v.tolist() for v in (s.intent, s.before, s.last, s.place, value, error, failed, solved))
    known = {
        (s.intents[i], b, c, k): Known(v, e, (without_failed, without_solved))
        for i, b, c, k, v, e, without_failed, without_solved in zip(*cells, strict=True)
    }
    by_intent = {}
    for i, name in enumerate(s.intents):
        own = s.intent == i
        by_intent[name] = _share(x[own].sum(), n[own].sum())
    return Values(known, by_intent, _share(x.sum(), n.sum()), calibration)


def credit(values: Values, intent: str, seq: list[int], solved: bool) -> list[Credit]:
    """Credit of each step of a trace of the fit, the first after its start: what other traces say of its states.

    The last step's value is the outcome itself.
    """
    out = []
    v0, e0 = values.of(intent, 0, seq[0], 1, solved)
    for j in range(1, len(seq)):
        ended = j == len(seq) - 1
        v1, e1 = (float(solved), 0.0) if ended else values.of(intent, seq[j - 1], seq[j], j + 1, solved)
        half = Z95 * math.hypot(e0, e1)
        out.append(Credit(v1, v1 - v0, v1 - v0 - half, v1 - v0 + half))
        v0, e0 = v1, e1
    return out


def _share(x: float, n: float) -> tuple[float, float]:
    p = float(x) / float(n) if n else 0.0
    return p, math.sqrt(p * (1 - p) / n) if n else 0.0


def _states(t: States) -> _States:
    key = ((t.intent * 65_536 + t.before) * 65_536 + t.last) * 16 + t.place
    distinct, first, s = np.unique(key, return_index=True, return_inverse=True)
    shape = (FOLDS, len(distinct))
    n, x = (np.bincount(t.fold * len(distinct) + s, v, FOLDS * len(distinct)).reshape(shape) for v in (t.n, t.x))
    return _States(
        t.intents, t.intent[first], t.before[first], t.last[first], t.place[first], n.astype(np.int64),
        x.astype(np.int64),
    )  # fmt: skip


def _features(groups: list[Ints], n: Ints, x: Ints, at: list[Ints], solved: bool | None) -> NDArray[np.float64]:
    """A row per state: 1, and the log odds of each level, shrunk to the level above; all finite.

    `solved` None reads the tables as they are; else a trace with that outcome is taken out first (leave-one-out).
    """
    out = [np.ones(len(at[0]))]
    above: Floats = np.full(len(at[0]), 0.5)
    less_n, less_x = (0, 0) if solved is None else (1, int(solved))
    for level, place in zip(groups, at, strict=True):
        total = np.bincount(level, n)[place] - less_n
        good = np.bincount(level, x)[place] - less_x
        above = (np.maximum(good, 0) + PRIOR * above) / (np.maximum(total, 0) + PRIOR)
        above = np.clip(above, 1e-4, 1 - 1e-4)
        out.append(np.log(above / (1 - above)))
    return np.stack(out, axis=1)


def _fit(groups: list[Ints], n: Ints, x: Ints) -> Floats:
    """Weights of the levels: ridge logistic regression on cross-fitted log odds, by Newton's steps.

    `n` and `x` are by fold. The log odds of a fold come from the others: a trace's own outcome, or that of another run
    of its task, would let rare states look surer than they are. Weights lean on equal shares of all levels. Source of
    the principle: D. Wolpert, "Stacked generalization", Neural Networks 5 (1992).
    """
    all_n, all_x = n.sum(0), x.sum(0)
    folds = [f for f in range(len(n)) if n[f].any()]
    seen = [(f, n[f] > 0) for f in folds]
    rows = np.concatenate([_features(groups, all_n - n[f], all_x - x[f], groups, None)[own] for f, own in seen] * 2)
    weight = np.concatenate([v[f][own] for v in (x, n - x) for f, own in seen]).astype(float)
    y = np.repeat([1.0, 0.0], len(rows) // 2)
    rows, weight, y = rows[weight > 0], weight[weight > 0], y[weight > 0]
    prior = np.zeros(rows.shape[1])
    prior[1:] = 1 / (len(prior) - 1)
    w = prior.copy()
    for _ in range(8):
        p = _sigmoid(rows @ w)
        gradient = rows.T @ (weight * (p - y)) + RIDGE * (w - prior)
        hessian = (rows * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ rows + RIDGE * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        w = w - step
        if float(np.abs(step).max()) < 1e-6:
            break
    return w


def _calibrate(s: _States, groups: list[Ints]) -> Calibration:
    """Every fold predicted from the four others, on the state after `LATE` steps: one state a trace."""
    late = s.place == LATE + 1
    predicted, n, x = [], [], []
    for f in range(FOLDS):
        rest_n, rest_x = s.n.sum(0) - s.n[f], s.x.sum(0) - s.x[f]
        own = late & (s.n[f] > 0)
        if not own.any() or not rest_n.sum():
            continue
        others = np.arange(FOLDS) != f
        weights = _fit(groups, s.n[others], s.x[others])
        predicted.append(_sigmoid(_features(groups, rest_n, rest_x, groups, None)[own] @ weights))
        n.append(s.n[f][own])
        x.append(s.x[f][own])
    if not predicted:
        return Calibration(traces=0, auc=0.5, brier_skill=0.0, slope=0.0, weak=True)
    return score(np.concatenate(predicted), np.concatenate(n), np.concatenate(x))


def score(p: Floats, n: Ints, x: Ints) -> Calibration:
    """Discrimination (area under the ROC curve), Brier skill against the mean, and calibration slope."""
    total, good = float(n.sum()), float(x.sum())
    bad = total - good
    order = np.argsort(p, kind="stable")
    _, start = np.unique(p[order], return_index=True)
    pos, neg = (np.add.reduceat(v[order].astype(float), start) for v in (x, n - x))
    below = np.cumsum(neg) - neg
    auc = float((pos * (below + neg / 2)).sum() / (good * bad)) if good and bad else 0.5
    mean = good / total
    brier = float((x * (1 - p) ** 2 + (n - x) * p**2).sum() / total)
    skill = 1 - brier / (mean * (1 - mean)) if 0 < mean < 1 else 0.0
    slope = _slope(p, n, x)
    weak = auc < WEAK_AUC or skill < WEAK_SKILL or not SLOPE[0] <= slope <= SLOPE[1]
    return Calibration(traces=int(total), auc=auc, brier_skill=skill, slope=slope, weak=weak)


def _slope(p: Floats, n: Ints, x: Ints) -> float:
    """Slope of a logistic regression of the outcome on the predicted log odds: 1 is right, below 1 too bold."""
    logit = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    rows = np.stack([np.ones(len(p)), logit], axis=1)
    w = np.zeros(2)
    for _ in range(25):
        q = _sigmoid(rows @ w)
        hessian = (rows * (n * np.maximum(q * (1 - q), 1e-9))[:, None]).T @ rows + 1e-9 * np.eye(2)
        w = w - np.linalg.solve(hessian, rows.T @ (n * q - x))
    return float(w[1])


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
