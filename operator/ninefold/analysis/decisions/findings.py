"""Confirmed contrasts as failure patterns: which kind, which words, which traces to show.

What tells the kinds apart is what the two arms did otherwise. The same call again after an error is an `ErrorLoop`; a
name that nothing supports a `HallucinationTrigger`. Where the better arm came to the same tool, but knew more by then,
it is a `ContextGap`; where another tool stood in its place, a `ToolSelectionBias`; where a step that nearly all traces
take was just left out, a `PolicyBreach`. A rare turn that no decision mends is a `NovelScenario`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.cover import Confirmed
from ninefold.analysis.decisions.screen import ANSWER, Contrast
from ninefold.analysis.decisions.sequences import Flags, Sequences
from ninefold.analysis.decisions.tables import Ints
from ninefold.analysis.drift import Counts, Moment, with_drift
from ninefold.analysis.engine import Engine
from ninefold.analysis.patterns import MAX_EVIDENCE, gain
from ninefold.analysis.stats.wilson import nines
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.findings import Decision, Interval, Introduced, Pattern, PatternKind

INSTEAD, HARDLY = 0.8, 0.2
"""Share of the losing arm that did something, and of the better arm that did not, for it to stand in its place."""
SAME_TOOL = 0.5
"""Share of the better arm that came to the same tool all the same."""
NORM = 0.7
"""Share of traces that take a step, from which it is a rule to take it."""

HABITS_OF = 5_000
"""Traces of an arm of which it is looked at what else they did."""


@dataclass(frozen=True)
class _Habits:
    """Share of each arm that had a symbol, by code, in a sample of the traces that met the point."""

    lost: dict[int, float]
    won: dict[int, float]
    following: dict[int, int]

    def of(self, arm: dict[int, float], codes: Sequence[int]) -> float:
        return max((arm.get(c, 0.0) for c in codes), default=0.0)


@dataclass(frozen=True)
class Seen:
    """What a pattern is put into words from. `informing`: actions that look things up."""

    engine: Engine
    sequences: Sequences
    symbols: Sequence[Symbol]
    informing: frozenset[str]


def patterns(seen: Seen, confirmed: Sequence[Confirmed]) -> list[Pattern]:
    """By the nines they cost, worst first."""
    losing = [c.arms.lost() for c in confirmed]
    shown = [_evidence(seen, c, losing) for c in confirmed]
    numbers = sorted({seen.sequences.n[row] for own in shown for row in own})
    names = {r["n"]: r["trace_id"] for r in seen.engine.query(_names(numbers))} if numbers else {}
    when = Moments.of(seen.engine) if confirmed else None
    found = []
    for c, own in zip(confirmed, shown, strict=True):
        pattern = _pattern(seen, c, {row: names[seen.sequences.n[row]] for row in own})
        found.append(with_drift(pattern, when.counts(seen, c) if when else {}))
    return sorted(found, key=lambda p: (-p.nines_lost.estimate, -p.regret, p.id))


def _names(numbers: Sequence[int]) -> str:
    """Statement: the ids of these traces."""
    return f"SELECT n, trace_id FROM coded WHERE n IN ({', '.join(map(str, numbers))})"  # noqa: S608


def _pattern(seen: Seen, c: Confirmed, evidence: Mapping[int, str]) -> Pattern:
    symbols, solved_of = seen.symbols, seen.sequences.solved
    kind, decision = describe(c.contrast, symbols, _habits(seen, c), seen.informing)
    traces, solved = len(solved_of), int(solved_of.sum())
    d = c.difference

    def lost(difference: float) -> float:
        saved = min(max(0.0, difference) * c.traces, c.failures)
        return nines(solved + saved, traces) - nines(solved, traces)

    failing = int(np.count_nonzero(~solved_of[c.alone]))
    predicted = gain(d, len(c.alone), failing, traces)

    only = c.contrast.intents or ()
    return Pattern(
        id=sha256(canonical([kind, decision.point, decision.taken, decision.better, list(only)]))[:12],
        kind=kind,
        summary=_summary(kind, decision, c, only),
        decision=decision,
        failures=c.failures,
        traces=c.traces,
        tasks=c.tasks,
        effect=Interval(estimate=d.estimate, low=d.low, high=d.high),
        p_value=d.p_value,
        regret=max(0.0, d.low) * c.traces,
        nines_lost=Interval(estimate=lost(d.estimate), low=lost(d.low), high=lost(d.high)),
        predicted_gain=predicted.estimate,
        predicted=predicted,
        evidence=list(evidence.values()),
        introduced=_introduced(seen, c.contrast, evidence) if kind == "HallucinationTrigger" else [],
        errors=sorted({e for i in c.contrast.point if (e := symbols[i].error)}),
        intents=list(only),
    )


def describe(c: Contrast, symbols: Sequence[Symbol], habits: _Habits, informing: frozenset[str]) -> tuple[
    PatternKind, Decision
]:  # fmt: skip
    """The kind of a contrast and its decision, from what both habits did."""
    point, taken = symbols[c.point[0]], symbols[c.taken[0]]
    if c.family == "met":
        where = f"after error {point.error}" if point.error else f"after {point}"
        return "NovelScenario", Decision(point=where, taken=point.action, better=None, tool=point.tool)
    ranked = habits.following if c.family == "next" else habits.won
    better = symbols[max(c.better, key=lambda i: (ranked.get(i, 0), -i))]
    if c.family == "next":
        where = (
            "first call" if c.point[0] == START else f"after error {point.error}" if point.error else f"after {point}"
        )
        decision = Decision(point=where, taken=taken.action, better=better.action, tool=taken.tool)
        if taken.bare:
            return "HallucinationTrigger", decision
        if point.error and point.action == taken.action:
            return "ErrorLoop", decision
        return ("ContextGap" if _right_tool(c.taken, symbols, habits) else "ToolSelectionBias"), decision
    instead = _instead(c, symbols, habits)
    where = f"before {taken.action}"
    if instead is None:
        norm = habits.of(habits.won, c.better) and c.share >= NORM and better.action not in informing
        decision = Decision(point=where, taken=f"no {better.action}", better=better.action, tool=better.tool)
        return ("PolicyBreach" if norm else "ContextGap"), decision
    other = symbols[instead]
    decision = Decision(point=where, taken=other.action, better=better.action, tool=other.tool)
    return ("ContextGap" if _right_tool((instead,), symbols, habits) else "ToolSelectionBias"), decision


def _right_tool(taken: Sequence[int], symbols: Sequence[Symbol], habits: _Habits) -> bool:
    """Whether the better arm used the tool too, in another way."""
    own = {symbols[i].tool for i in taken}
    others = [i for i, s in enumerate(symbols) if s.tool in own and i not in taken]
    return habits.of(habits.won, others) >= SAME_TOOL


def _instead(c: Contrast, symbols: Sequence[Symbol], habits: _Habits) -> int | None:
    """What the losing arm did in place of the missing step."""
    candidates = [
        i
        for i, share in habits.lost.items()
        if share >= INSTEAD and habits.won.get(i, 0.0) <= HARDLY and symbols[i].action not in (ANSWER, "start")
    ]
    return min(candidates, key=lambda i: (habits.won.get(i, 0.0) - habits.lost[i], symbols[i].action), default=None)


def _habits(seen: Seen, c: Confirmed) -> _Habits:
    """What the arms did, in the first `HABITS_OF` traces of each: a sample, for traces stand in the order of hashes."""
    rows, won = c.arms.rows()

    def shares(arm: Ints) -> dict[int, float]:
        counts = np.bincount(seen.sequences.did(arm[:HABITS_OF]))
        return {int(i): counts[i] / min(len(arm), HABITS_OF) for i in np.flatnonzero(counts)}

    following: dict[int, int] = {}
    if c.contrast.family == "next":
        after, did = seen.sequences.next_after(c.contrast.point[0])
        better = np.zeros(len(seen.sequences.n), bool)
        better[rows[won]] = True
        counts = np.bincount(did[better[after]])
        following = {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
    return _Habits(shares(rows[~won]), shares(rows[won]), following)


@dataclass(frozen=True)
class Moments:
    """Under which version and on which day each trace ran: a place in `names` by the engine's number of the trace."""

    names: list[Moment]
    places: Ints

    @classmethod
    def of(cls, engine: Engine) -> "Moments":
        rows = engine.arrow("SELECT toString(version) AS version, day FROM coded ORDER BY n")
        coded = rows["version"].combine_chunks().dictionary_encode()
        keys = coded.indices.to_numpy().astype(np.int64) << 32 | rows["day"].cast(pa.int64()).to_numpy()
        own, places = np.unique(keys, return_inverse=True)
        versions = coded.dictionary.to_pylist()
        return cls([(versions[key >> 32], key & 2**32 - 1) for key in own.tolist()], places)

    def counts(self, seen: Seen, c: Confirmed) -> Counts:
        """By moment, how many traces met the point, and how many of them took the losing choice."""
        rows, won = c.arms.rows()
        at = self.places[seen.sequences.n[rows]]
        met, taken = (np.bincount(v, minlength=len(self.names)).tolist() for v in (at, at[~won]))
        return {name: (n, m) for name, n, m in zip(self.names, met, taken, strict=True) if n}


def _evidence(seen: Seen, c: Confirmed, losing: Sequence[Flags]) -> list[int]:
    """Rows of failed traces of the losing arm that nothing stronger explains; first those whose task the better arm
    solved, and of them those that lose nowhere else (`losing`: all patterns)."""
    p = seen.sequences
    failed = c.alone[~p.solved[c.alone]]
    rows, won = c.arms.rows()
    mended = np.zeros(int(p.stratum[-1]) + 1 if len(p.stratum) else 0, bool)
    mended[p.stratum[rows[won & p.solved[rows]]]] = True
    others = sum((flags[failed].astype(int) for flags in losing), np.zeros(len(failed), int))
    order = np.lexsort((others, ~mended[p.stratum[failed]]))
    return [int(row) for row in failed[order[:MAX_EVIDENCE]]]


def _introduced(seen: Seen, c: Contrast, evidence: Mapping[int, str]) -> list[Introduced]:
    """Where these traces (row -> id) name what nothing supports: at the step after the point."""
    places, action = seen.sequences.first(c.point), seen.symbols[c.taken[0]].action
    return [
        Introduced(
            trace_id=trace, call=int(places[row]) + 1, action=action, names=["a number or a numbered identifier"]
        )
        for row, trace in evidence.items()
    ]


_SAYS = {
    "ErrorLoop": "the agent makes the same call again ({taken})",
    "HallucinationTrigger": "the agent calls {taken} with a name or number that nothing before it supports",
    "ToolSelectionBias": "the agent chooses {taken}",
    "ContextGap": "the agent goes on with {taken}, without what others had learnt by then",
    "PolicyBreach": "a step is left out that nearly all other traces take ({better})",
    "NovelScenario": "the agent meets what it has no answer to, and no later decision mends it",
}


def _summary(kind: PatternKind, decision: Decision, c: Confirmed, only: Sequence[str]) -> str:
    d = c.difference
    said = _SAYS[kind].format(taken=decision.taken, better=decision.better)
    where = decision.point[0].upper() + decision.point[1:]
    where = f"At the {decision.point}" if decision.point == "first call" else where
    within = f" (only where the intent is {', '.join(only[:5])})" if only else ""
    others = "Traces of the same tasks without it" if decision.better is None else f"Traces with {decision.better}"
    return (
        f"{where}{within} {said}: {c.traces} traces, {c.failures} failed. {others} succeed "
        f"{d.estimate * 100:+.0f} points more often (95 % interval {d.low * 100:+.0f} to {d.high * 100:+.0f}, "
        f"p = {d.p_value:.2g}), matched within {d.strata} strata that met both."
    )
