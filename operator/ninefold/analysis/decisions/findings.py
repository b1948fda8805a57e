"""Confirmed contrasts as failure patterns: which kind, which words, which traces to show.

What tells the kinds apart is what the two arms did otherwise. The same call again after an error is an `ErrorLoop`; a
name that nothing supports a `HallucinationTrigger`. Where the better arm came to the same tool, but knew more by then,
it is a `ContextGap`; where another tool stood in its place, a `ToolSelectionBias`; where a step that nearly all traces
take was just left out, a `PolicyBreach`. A rare turn that no decision mends is a `NovelScenario`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ninefold.analysis.decisions import statements
from ninefold.analysis.decisions.coding import START, Symbol
from ninefold.analysis.decisions.confirm import Confirmed, Declined, Population, condition
from ninefold.analysis.decisions.screen import ANSWER, Contrast
from ninefold.analysis.drift import Counts, with_drift
from ninefold.analysis.engine import Engine
from ninefold.analysis.patterns import MAX_EVIDENCE
from ninefold.analysis.stats.wilson import nines
from ninefold.api.artifacts import Decision, Interval, Pattern, PatternKind, canonical, sha256

INSTEAD, HARDLY = 0.8, 0.2
"""Share of the losing arm that did something, and of the better arm that did not, for it to stand in its place."""
SAME_TOOL = 0.5
"""Share of the better arm that came to the same tool all the same."""
NORM = 0.7
"""Share of traces that take a step, from which it is a rule to take it."""


@dataclass(frozen=True)
class _Arms:
    """Share of each arm that had a symbol, by code, in a sample of the traces that met the point."""

    lost: dict[int, float]
    won: dict[int, float]
    following: dict[int, int]

    def of(self, arm: dict[int, float], codes: Sequence[int]) -> float:
        return max((arm.get(c, 0.0) for c in codes), default=0.0)


def patterns(engine: Engine, population: Population, confirmed: Sequence[Confirmed], *, symbols: Sequence[Symbol],
             informing: frozenset[str], weak: bool) -> list[Pattern]:  # fmt: skip
    """By the nines they cost, worst first. `weak`: the values are poorly calibrated, and the patterns are marked."""
    found = [
        with_drift(_pattern(engine, population, c, symbols, informing), _seen(engine, c.contrast, symbols))
        for c in confirmed
    ]
    found = [p.model_copy(update={"weak": weak}) for p in found]
    return sorted(found, key=lambda p: (-p.nines_lost.estimate, -p.regret, p.id))


def _pattern(engine: Engine, population: Population, c: Confirmed, symbols: Sequence[Symbol],
             informing: frozenset[str]) -> Pattern:  # fmt: skip
    kind, decision = describe(c.contrast, symbols, _arms(engine, c.contrast, symbols), informing)
    traces, solved = len(population.solved), int(population.solved.sum())
    d = c.difference

    def lost(difference: float) -> float:
        saved = min(max(0.0, difference) * c.traces, c.failures)
        return nines(solved + saved, traces) - nines(solved, traces)

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
        predicted_gain=min(d.estimate * c.traces, c.failures) / traces,
        evidence=_evidence(engine, population, c),
        errors=sorted({e for i in c.contrast.point if (e := symbols[i].error)}),
        intents=list(only),
    )


def describe(c: Contrast, symbols: Sequence[Symbol], arms: _Arms, informing: frozenset[str]) -> tuple[
    PatternKind, Decision
]:  # fmt: skip
    """The kind of a contrast and its decision, from what both arms did."""
    point, taken = symbols[c.point[0]], symbols[c.taken[0]]
    if c.family == "met":
        where = f"after error {point.error}" if point.error else f"after {point}"
        return "NovelScenario", Decision(point=where, taken=point.action, better=None, tool=point.tool)
    ranked = arms.following if c.family == "next" else arms.won
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
        return ("ContextGap" if _right_tool(c.taken, symbols, arms) else "ToolSelectionBias"), decision
    instead = _instead(c, symbols, arms)
    where = f"before {taken.action}"
    if instead is None:
        norm = arms.of(arms.won, c.better) and c.share >= NORM and better.action not in informing
        decision = Decision(point=where, taken=f"no {better.action}", better=better.action, tool=better.tool)
        return ("PolicyBreach" if norm else "ContextGap"), decision
    other = symbols[instead]
    decision = Decision(point=where, taken=other.action, better=better.action, tool=other.tool)
    return ("ContextGap" if _right_tool((instead,), symbols, arms) else "ToolSelectionBias"), decision


def _right_tool(taken: Sequence[int], symbols: Sequence[Symbol], arms: _Arms) -> bool:
    """Whether the better arm used the tool too, in another way."""
    own = {symbols[i].tool for i in taken}
    others = [i for i, s in enumerate(symbols) if s.tool in own and i not in taken]
    return arms.of(arms.won, others) >= SAME_TOOL


def _instead(c: Contrast, symbols: Sequence[Symbol], arms: _Arms) -> int | None:
    """What the losing arm did in place of the missing step."""
    candidates = [
        i
        for i, share in arms.lost.items()
        if share >= INSTEAD and arms.won.get(i, 0.0) <= HARDLY and symbols[i].action not in (ANSWER, "start")
    ]
    return min(candidates, key=lambda i: (arms.won.get(i, 0.0) - arms.lost[i], symbols[i].action), default=None)


def _arms(engine: Engine, c: Contrast, symbols: Sequence[Symbol]) -> _Arms:
    lose, win = condition(c, symbols)
    rows = engine.query(statements.habits(lose, win))
    lost = {r["code"]: r["lost"] / max(1, r["all_lost"]) for r in rows}
    won = {r["code"]: r["won"] / max(1, r["all_won"]) for r in rows}
    following = engine.query(statements.followers(win, c.point[0])) if c.family == "next" else []
    return _Arms(lost, won, {r["code"]: r["n"] for r in following})


def _seen(engine: Engine, c: Contrast, symbols: Sequence[Symbol]) -> Counts:
    rows = engine.query(statements.seen(*condition(c, symbols)))
    return {(r["version"], r["day"]): (r["met"], r["taken"]) for r in rows}


def _evidence(engine: Engine, p: Population, c: Confirmed) -> list[str]:
    """Failed traces of the losing arm that nothing else explains; first those whose task the better arm solved."""
    failed = np.flatnonzero(c.alone & (p.solved == 0))
    others = np.bitwise_count(p.taken[failed])
    mended = np.unique(p.stratum[p.won(c.bit) & (p.solved == 1)])
    order = np.lexsort((failed, others, ~np.isin(p.stratum[failed], mended)))
    rows = failed[order[:MAX_EVIDENCE]].tolist()
    if not rows:
        return []
    names = {r["n"]: r["trace_id"] for r in engine.query(statements.names(rows))}
    return [names[n] for n in rows]


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


def unidentified(refused: Sequence[Declined], symbols: Sequence[Symbol], min_support: int) -> list[str]:
    """Sentences about what looked like a pattern and is none: a mix of tasks, or too few of them."""
    out = []
    for r in refused:
        better, taken = r.crude
        if r.why == "explained" or better <= taken:
            continue
        what = f"{symbols[r.contrast.taken[0]]} after {symbols[r.contrast.point[0]]}"
        if r.contrast.family == "skipped":
            what = f"{symbols[r.contrast.taken[0]]} without {symbols[r.contrast.better[0]]} before it"
        seen = f"{what}: {taken:.0%} succeed, {better:.0%} otherwise"
        if r.why == "TaskMix":
            inside = f"{r.difference.estimate:+.0%}" if r.difference else "nothing"
            out.append(f"TaskMix: {seen}, yet within the same task the difference is {inside}.")
        else:
            strata = r.difference.strata if r.difference else 0
            out.append(
                f"Unidentified: {seen}, but only {strata} tasks met both choices and {min_support} are needed: about "
                f"{more_runs(strata, min(r.tasks), min_support)} times as many runs of each task would tell."
            )
    return out


def more_runs(strata: int, tasks: int, needed: int) -> int:
    """How many times as many runs a task needs, if tasks that met both choices grow with the runs."""
    return max(2, -(-needed // max(1, strata))) if tasks else needed
