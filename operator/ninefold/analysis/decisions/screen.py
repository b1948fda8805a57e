"""A first look at every contrast that the table of states and the table of precedences hold.

Three families, each one decision point with a losing and a better arm:

* *next*: after the same step, one choice against all others (the wrong tool, an invented name, the same call again);
* *skipped*: an action done without another one before it (a missing look-up, a broken policy, an unverified answer);
* *met*: a rare turn of events against traces without it (a novel scenario); what the agent chose is none.

A fourth, *took* (a step anywhere against none), is no decision: `crude` names it where it is a mix of tasks.

The first look compares within intent and state, counts everything it tries, and passes on what stands out; what it
passes on is matched trace by trace afterwards (`confirm`). Ending is never a choice: an answer is only ever the point
at which something had been done or not.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.tables import CODE_BITS, INTENT_BITS, Ints, Precedence, States

Floats = NDArray[Any]
Family = Literal["next", "skipped", "met", "took"]
PASSED = 48
"""Contrasts that are matched trace by trace, the strongest first: at most as many as fit the bits of one number."""
ECHOES = 3
"""Points at which one choice, or one step left out, is passed on: what was lost at one is lost at all that follow it,
and a strong cause must not crowd out a weak one."""
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
MOST_CHANCES = 10**12
"""Choices of intents that are counted; no p-value makes up for more."""
FEWEST = 20
"""Traces that an arm must have to be looked at."""
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Contrast:
    """`point`, `taken` and `better` are codes (family next: a set of codes that are the same choice) or actions.

    `intents` limits it; None is everywhere. `z` is its strength in the first look, `share` that of the
    better arm among the traces that met the point. `chances`: choices of as many intents that it was the strongest of.
    """

    family: Family
    point: tuple[int, ...]
    taken: tuple[int, ...]
    better: tuple[int, ...]
    intents: tuple[str, ...] | None
    z: float
    share: float = 0.0
    chances: int = 1


@dataclass(frozen=True)
class Screened:
    """The strongest contrasts, and how many were tried."""

    contrasts: list[Contrast]
    tried: int


@dataclass(frozen=True, slots=True)
class _Tables:
    """One entry a stratum: traces and successes of the better arm and of the losing one; `of` is its intent."""

    n1: Ints
    x1: Ints
    n0: Ints
    x0: Ints
    of: Ints


@dataclass(frozen=True, slots=True)
class _Loss:
    """What stands out of one set of tables: see `Contrast`. `arms` adds up the tables of the intents that it is of."""

    intents: tuple[str, ...] | None
    z: float
    share: float
    chances: int
    arms: tuple[float, ...]

    def contrast(self, family: Family, point: Sequence[int], taken: Sequence[int], better: Sequence[int]) -> Contrast:
        found = tuple(point), tuple(taken), tuple(better)
        return Contrast(family, *found, self.intents, self.z, self.share, self.chances)


def screen(states: States, precedence: Precedence, actions: Sequence[str], symbols: Sequence[Symbol],
           traces: int) -> Screened:  # fmt: skip
    """`actions[i]` is the action of bit i. Contrasts come strongest first."""
    tried, found = 0, list[Contrast]()
    for contrast in (*_next(states, symbols), *_skipped(precedence, actions, symbols), *_met(states, symbols, traces)):
        tried += 1
        if contrast is not None:
            found.append(contrast)
    found.sort(key=lambda c: (-c.z, _told(c, symbols)))
    echoes: Counter[tuple[Family, tuple[int, ...]]] = Counter()
    passed = []
    for contrast in found:
        blamed = contrast.family, contrast.better if contrast.family == "skipped" else contrast.taken
        echoes[blamed] += 1
        if echoes[blamed] <= ECHOES:
            passed.append(contrast)
    return Screened(passed[:PASSED], tried)


def _told(c: Contrast, symbols: Sequence[Symbol]) -> str:
    return f"{c.family} {[str(symbols[i]) for i in c.point + c.taken]} {c.intents}"


def _next(s: States, symbols: Sequence[Symbol]) -> Iterator[Contrast | None]:
    """For every point and choice: that choice against all others. None is one that does not stand out."""
    choices = sorted({symbol.choice for symbol in symbols})
    numbers = {c: i for i, c in enumerate(choices)}
    choice_of = np.array([numbers[symbol.choice] for symbol in symbols])
    members: dict[int, list[int]] = {}
    for code, symbol in enumerate(symbols):
        members.setdefault(numbers[symbol.choice], []).append(code)
    acts = np.array([symbol.action != ANSWER for symbol in symbols])[s.next]
    # How decisions went and where they stood says nothing here: fewer, larger rows.
    key = (((s.last << INTENT_BITS) + s.intent << CODE_BITS) + s.before << CODE_BITS) + choice_of[s.next]
    key, own = np.unique(key[acts], return_inverse=True)
    n, x = np.bincount(own, s.n[acts]), np.bincount(own, s.x[acts])
    chosen, stratum, point = key & 2**CODE_BITS - 1, key >> CODE_BITS, key >> 2 * CODE_BITS + INTENT_BITS
    for at in np.split(np.arange(len(key)), np.flatnonzero(np.diff(point)) + 1):
        if not len(at):
            continue
        strata, first, place = np.unique(stratum[at], return_index=True, return_inverse=True)
        of = (stratum[at][first] >> CODE_BITS) & 2**INTENT_BITS - 1
        whole_n, whole_x = np.bincount(place, n[at]), np.bincount(place, x[at])
        here = np.unique(chosen[at])
        for choice in here:
            taken = chosen[at] == choice
            n0 = np.bincount(place[taken], n[at][taken], len(strata))
            x0 = np.bincount(place[taken], x[at][taken], len(strata))
            if n0.sum() < FEWEST or (whole_n - n0).sum() < FEWEST:
                continue
            loss = _by_intent(_Tables(whole_n - n0, whole_x - x0, n0, x0, of), s.intents)
            if loss is None:
                yield None
                continue
            better = [code for rival in here if rival != choice for code in members[int(rival)]]
            yield loss.contrast("next", [int(point[at[0]])], members[int(choice)], better)


def _skipped(p: Precedence, actions: Sequence[str], symbols: Sequence[Symbol]) -> Iterator[Contrast | None]:
    """For every two actions: the first done without the second before it, against with it.

    Of contrasts with the same arms (what was left out before a step was left out before all that follow it) only that
    one is told whose step is the rarest, for it says most of when it matters.
    """
    codes = [tuple(i for i, s in enumerate(symbols) if s.action == a) for a in actions]
    told: dict[tuple[int, tuple[float, ...]], tuple[int, Contrast]] = {}
    for a, action in enumerate(actions):
        own = np.flatnonzero(p.action == a)
        if action == symbols[START].action or not len(own):
            continue
        of, start = np.unique(p.intent[own], return_index=True)
        before = (p.mask[own, None] >> np.arange(len(actions))) & 1
        n, x = (np.add.reduceat(v[own], start) for v in (p.n, p.x))
        all_n1, all_x1 = (np.add.reduceat(v[own, None] * before, start) for v in (p.n, p.x))
        for b, other in enumerate(actions):
            n1, x1 = all_n1[:, b], all_x1[:, b]
            if b == a or other in (ANSWER, symbols[START].action) or not FEWEST <= n1.sum() <= n.sum() - FEWEST:
                continue
            loss = _by_intent(_Tables(n1, x1, n - n1, x - x1, of), p.intents)
            if loss is None:
                yield None
                continue
            same, met = (b, loss.arms), int(n.sum())
            contrast = loss.contrast("skipped", codes[a], codes[a], codes[b])
            if same in told:
                yield None
            if same not in told or met < told[same][0]:
                told[same] = met, contrast
    yield from (contrast for _, contrast in told.values())


def _met(s: States, symbols: Sequence[Symbol], traces: int) -> Iterator[Contrast | None]:
    """Rare ways in which a call went, that an agent did not choose: errors and empty results."""
    size = len(s.intents)
    start = s.last == START
    base_n, base_x = (np.bincount(s.intent[start], v[start], size).astype(np.int64) for v in (s.n, s.x))
    every = np.arange(size)
    for code, symbol in enumerate(symbols):
        if symbol.outcome == "ok" or symbol.bare or code <= START:
            continue
        own = (s.last == code) & (s.before != code)
        met, good = (np.bincount(s.intent[own], v[own], size).astype(np.int64) for v in (s.n, s.x))
        if not FEWEST <= met.sum() <= RARE * traces:
            continue
        without = np.maximum(base_n - met, 0), np.maximum(base_x - good, 0)
        loss = _by_intent(_Tables(*without, met, good, every), s.intents, MET)
        yield loss.contrast("met", [code], [code], []) if loss else None


def _by_intent(t: _Tables, intents: Sequence[str], weight: float = 1.0) -> _Loss | None:
    """How strongly the losing arm loses, over the intents in which both choices occur, or over those alone in which it
    loses by itself; None when it does not stand out.

    The second is chosen when what is left in the others is clearly less: then it is a matter of those intents.
    Mantel-Haenszel within strata; the variance is that of no difference.
    """
    both = (t.n1 > 0) & (t.n0 > 0)
    if not both.any():
        return None
    n1, x1, n0, x0 = (v[both].astype(float) for v in (t.n1, t.x1, t.n0, t.x0))
    own, of = np.unique(t.of[both], return_inverse=True)
    total = n1 + n0
    p = (x1 + x0) / total

    def sums(values: Floats) -> Floats:
        return np.bincount(of, values, len(own))

    shared, top = sums(n1 * n0 / total), sums((x1 * n0 - x0 * n1) / total)
    var = sums(n1 * n0 * p * (1 - p) / np.maximum(total - 1, 1))
    arms = [sums(v) for v in (n1, x1, n0, x0)]
    occurs = arms[0] >= OCCURS * sums(total)

    def told(z: float, chosen: NDArray[np.bool_], chances: int = 1, everywhere: bool = False) -> _Loss | None:
        if weight * z < STANDS_OUT:
            return None
        only = None if everywhere else tuple(intents[int(i)] for i in own[chosen])
        counts = tuple(float(arm[chosen].sum()) for arm in arms)
        return _Loss(only, weight * z, counts[0] / max(1.0, counts[0] + counts[2]), chances, counts)

    whole = _strength(top, shared, var, occurs)
    if whole is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        bad = occurs & (np.where(var > 0, top / np.sqrt(var), 0.0) >= APART)
    rest, part = _strength(top, shared, var, occurs & ~bad), _strength(top, shared, var, bad)
    if rest is not None and part is not None:
        apart = (part[0] - rest[0]) / math.hypot(part[0] / part[1], rest[2])
        if rest[0] < ELSEWHERE * part[0] and apart >= APART:
            return told(part[1], bad, chances=_chances(int(occurs.sum()), int(bad.sum())))
    return told(whole[1], occurs, everywhere=int(occurs.sum()) == len(np.unique(t.of[t.n1 + t.n0 > 0])))


def _chances(open_in: int, chosen: int) -> int:
    """In how many ways so many intents could have been picked: those that lost most by chance are picked too."""
    return min(MOST_CHANCES, math.comb(open_in, chosen))


def _strength(top: Floats, weight: Floats, var: Floats, own: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    """Estimate, z and standard error over some intents; None without any."""
    w, v = float(weight[own].sum()), float(var[own].sum())
    if w <= 0 or v <= 0:
        return None
    t = float(top[own].sum())
    return t / w, t / math.sqrt(v), math.sqrt(v) / w
