"""A first look at every contrast that the table of states and the table of precedences hold.

Three families, each one decision point with a losing and a better arm:

* *next*: after the same step, one choice against all others (the wrong tool, an invented name, the same call again);
* *skipped*: an action done without another one before it (a missing look-up, a broken policy, an unverified answer);
* *met*: a rare turn of events against traces without it (a novel scenario); what the agent chose is none.

The first look compares within intent and state, counts everything it tries, and passes on what stands out; what it
passes on is matched trace by trace afterwards (`confirm`). Ending is never a choice: an answer is only ever the point
at which something had been done or not.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ninefold.analysis.decisions.coding import START, Symbol

Ints = NDArray[np.int64]
Floats = NDArray[Any]
Make = Callable[[float, "tuple[str, ...] | None", float], "Contrast"]
_Arms = tuple[tuple[int, ...], tuple[int, ...]]
Family = Literal["next", "skipped", "met"]
PASSED = 60
"""Contrasts that are matched trace by trace, the strongest first: as many as fit the bits of one number."""
STANDS_OUT = 2.0
"""Standard errors from which a contrast is passed on: from here people see patterns, so it must be said what they are.
Its p-value is made later, over everything tried."""
APART = 3.0
"""Standard errors from which an intent loses by itself, or apart from others."""
MET = 0.9
"""Strength of a turn of events against that of a decision: what says as much is better told as a decision."""
RARE = 0.05
"""Share of traces up to which a turn of events is rare."""
ELSEWHERE = 0.35
"""Share of its effect that must be left in the other intents, or a contrast belongs to some intents alone."""
OCCURS = 0.05
"""Share that the better choice must have in an intent to count as one that is open there."""
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Contrast:
    """`point`, `taken` and `better` are codes (family next: a set of codes that are the same choice) or actions.

    `intents` limits it; None is everywhere. `z` is its strength in the first look, `share` that of the
    better arm among the traces that met the point.
    """

    family: Family
    point: tuple[int, ...]
    taken: tuple[int, ...]
    better: tuple[int, ...]
    intents: tuple[str, ...] | None
    z: float
    share: float = 0.0


@dataclass(frozen=True)
class Screened:
    """The strongest contrasts, and how many were tried."""

    contrasts: list[Contrast]
    tried: int


@dataclass(frozen=True, slots=True)
class _Cells:
    """Counts by stratum and arm; every stratum belongs to one intent."""

    stratum: Ints
    lost: NDArray[np.bool_]
    n: Ints
    x: Ints
    intent: Ints


def screen(states: pa.Table, precedence: pa.Table, actions: Sequence[str], symbols: Sequence[Symbol],
           traces: int) -> Screened:  # fmt: skip
    """`actions[i]` is the action of bit i. Contrasts come strongest first."""
    found: list[Contrast] = []
    tried = 0
    for contrast in (*_next(states, symbols), *_skipped(precedence, actions, symbols), *_met(states, symbols, traces)):
        tried += 1
        if contrast.z >= STANDS_OUT:
            found.append(contrast)
    found.sort(key=lambda c: (-c.z, _told(c, symbols)))
    return Screened(found[:PASSED], tried)


def _told(c: Contrast, symbols: Sequence[Symbol]) -> str:
    return f"{c.family} {[str(symbols[i]) for i in c.point + c.taken]} {c.intents}"


def columns(table: pa.Table, *names: str) -> list[Any]:
    """Numbers as int64, text as (values, indices)."""
    out: list[Any] = []
    for name in names:
        column = table[name]
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            out.append(column.cast(pa.int64()).to_numpy())
        else:
            coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
            coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
            values = coded.dictionary.to_pylist()
            order = np.argsort(np.array(values, dtype=object)) if values else np.zeros(0, np.int64)
            place = np.empty(len(values), np.int64)
            place[order] = np.arange(len(values))
            indices = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            out.append((sorted(values), place[indices] if len(values) else indices))
    return out


def _next(states: pa.Table, symbols: Sequence[Symbol]) -> Iterator[Contrast]:
    (intents, intent), before, last, nxt, n, x = columns(states, "intent", "before", "last", "next", "n", "x")
    choices = sorted({s.choice for s in symbols})
    numbers = {c: i for i, c in enumerate(choices)}
    choice_of = np.array([numbers[s.choice] for s in symbols])
    terminal = np.array([s.action == ANSWER for s in symbols])
    members: dict[int, list[int]] = {}
    for code, s in enumerate(symbols):
        members.setdefault(numbers[s.choice], []).append(code)
    chosen = choice_of[nxt]
    acts = ~terminal[nxt]
    order = np.argsort(last, kind="stable")
    bounds = np.flatnonzero(np.diff(last[order])) + 1
    for own in np.split(order, bounds):
        own = own[acts[own]]  # noqa: PLW2901
        if not len(own):
            continue
        point = int(last[own[0]])
        stratum = intent[own] * 65_536 + before[own]
        for choice in np.unique(chosen[own]):
            lost = chosen[own] == choice
            if n[own][lost].sum() < 20 or n[own][~lost].sum() < 20:
                continue
            rivals = np.unique(chosen[own][~lost])

            arms = tuple(members[int(choice)]), tuple(c for r in rivals for c in members[int(r)])

            def make(
                z: float, only: tuple[str, ...] | None, share: float, at: int = point, arms: _Arms = arms
            ) -> Contrast:
                return Contrast("next", (at,), *arms, only, z, share)

            yield from _by_intent(make, _Cells(stratum, lost, n[own], x[own], intent[own]), intents)


def _skipped(precedence: pa.Table, actions: Sequence[str], symbols: Sequence[Symbol]) -> Iterator[Contrast]:
    (intents, intent), act, mask, n, x = columns(precedence, "intent", "act", "mask", "n", "x")
    codes = {a: tuple(i for i, s in enumerate(symbols) if s.action == a) for a in actions}
    for a, action in enumerate(actions):
        own = act == a
        if action == symbols[START].action or not own.any():
            continue
        for b, other in enumerate(actions):
            if b == a or other in (ANSWER, symbols[START].action):
                continue
            lost = (mask[own] >> b) & 1 == 0
            if n[own][lost].sum() < 20 or n[own][~lost].sum() < 20:
                continue

            def make(z: float, only: tuple[str, ...] | None, share: float, action: str = action,
                     other: str = other) -> Contrast:  # fmt: skip
                return Contrast("skipped", codes[action], codes[action], codes[other], only, z, share)

            yield from _by_intent(make, _Cells(intent[own], lost, n[own], x[own], intent[own]), intents)


def _met(states: pa.Table, symbols: Sequence[Symbol], traces: int) -> Iterator[Contrast]:
    """Rare ways in which a call went, that an agent did not choose: errors and empty results."""
    (intents, intent), last, before, n, x = columns(states, "intent", "last", "before", "n", "x")
    start = last == START
    base_n, base_x = (np.bincount(intent[start], v[start], len(intents)) for v in (n, x))
    every = np.tile(np.arange(len(intents)), 2)
    for code, symbol in enumerate(symbols):
        if symbol.outcome == "ok" or symbol.bare or code <= START:
            continue
        own = (last == code) & (before != code)
        met = np.bincount(intent[own], n[own], len(intents))
        if not 20 <= met.sum() <= RARE * traces:
            continue
        good = np.bincount(intent[own], x[own], len(intents))
        yield from _by_intent(
            lambda z, only, share, code=code: Contrast("met", (code,), (code,), (), only, MET * z, share),  # type: ignore[misc]
            _Cells(
                every,
                np.repeat([True, False], len(intents)),
                np.concatenate((met, np.maximum(base_n - met, 0))).astype(np.int64),
                np.concatenate((good, np.maximum(base_x - good, 0))).astype(np.int64),
                every,
            ),
            intents,
        )


def _by_intent(make: Make, cells: _Cells, intents: Sequence[str]) -> Iterator[Contrast]:
    """One contrast over the intents in which both choices occur, or over those alone in which it loses.

    The second is chosen when what is left in the others is clearly less: then it is a matter of those intents.
    Mantel-Haenszel within strata; the variance is that of no difference.
    """
    stratum, lost, n, x, intent = cells.stratum, cells.lost, cells.n, cells.x, cells.intent
    strata, s = np.unique(stratum, return_inverse=True)
    of = np.zeros(len(strata), np.int64)
    of[s] = intent
    n1, x1, n0, x0 = (np.bincount(s, v * arm, len(strata)) for arm in (~lost, lost) for v in (n, x))
    both = (n1 > 0) & (n0 > 0)
    if not both.any():
        return
    n1, x1, n0, x0, of = n1[both], x1[both], n0[both], x0[both], of[both]
    total = n1 + n0
    p = (x1 + x0) / total
    weight, top, var = (
        np.bincount(of, v, len(intents))
        for v in (n1 * n0 / total, (x1 * n0 - x0 * n1) / total, n1 * n0 * p * (1 - p) / np.maximum(total - 1, 1))
    )
    arm, met = np.bincount(of, n1, len(intents)), np.bincount(of, total, len(intents))
    occurs = (weight > 0) & (arm >= OCCURS * met)

    def share(own: NDArray[np.bool_]) -> float:
        return float(arm[own].sum() / max(1.0, met[own].sum()))

    whole = _strength(top, weight, var, occurs)
    if whole is None:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(var > 0, top / np.sqrt(var), 0.0)
    bad = occurs & (z >= APART)
    rest = _strength(top, weight, var, occurs & ~bad)
    part = _strength(top, weight, var, bad)
    if rest is not None and part is not None:
        apart = (part[0] - rest[0]) / math.hypot(part[0] / part[1], rest[2])
        if rest[0] < ELSEWHERE * part[0] and apart >= APART:
            yield make(part[1], _names(intents, bad), share(bad))
            return
    everywhere = len(intents) == 1 or bool(occurs.all())
    only = None if everywhere else _names(intents, occurs)
    yield make(whole[1], only, share(occurs))


def _names(intents: Sequence[str], own: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(intents[int(i)] for i in np.flatnonzero(own))


def _strength(top: Floats, weight: Floats, var: Floats, own: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    """Estimate, z and standard error over some intents; None without any."""
    w, v = float(weight[own].sum()), float(var[own].sum())
    if w <= 0 or v <= 0:
        return None
    t = float(top[own].sum())
    return t / w, t / math.sqrt(v), math.sqrt(v) / w
