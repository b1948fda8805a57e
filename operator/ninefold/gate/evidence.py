"""What goes into the gate, and the evidence that is gathered from it once, before any check looks."""

from dataclasses import dataclass
from math import pi

from ninefold.api.outcomes import BASELINE, NULL_CONTROL, WRONG_KEY_CONTROL, ReplayReport
from ninefold.api.policy import Gate
from ninefold.pairing import Sample, paired

INTENT_PAIRS = 100
"""Pairs from which on an intent can block. Below, a bound of the width of the margin is out of reach."""


@dataclass(frozen=True)
class GateInput:
    """The sealed replay of one frozen candidate, and what it is judged by.

    `cycle` counts the looks at this agent's sealed cases, from 1. `context_window` is in tokens.
    """

    report: ReplayReport
    candidate: str
    gate: Gate
    cycle: int
    context_window: int | None = None


@dataclass(frozen=True)
class Evidence:
    """The paired samples behind the verdicts. `wrong_key` is None when no such control could be made."""

    given: GateInput
    alpha: float
    overall: Sample
    intents: tuple[tuple[str, Sample], ...]
    null: Sample
    wrong_key: Sample | None
    prompt_tokens: int | None


def alpha_of(alpha: float, cycle: int) -> float:
    """What cycle r (from 1) may spend of the agent's alpha: 6 alpha / (pi r)^2, which sums to alpha over all cycles."""
    return 6 * alpha / (pi * cycle) ** 2


def gather(given: GateInput) -> Evidence:
    """Evidence from the report; intents by falling number of pairs, then by name."""
    rows = given.report.rows
    names = {row.intent for row in rows if row.intent is not None}
    planned, by_intent = given.report.planned_clusters, given.report.planned_by_intent
    intents = [
        (name, paired([row for row in rows if row.intent == name], given.candidate, planned=by_intent.get(name)))
        for name in names
    ]
    with_wrong_key = WRONG_KEY_CONTROL in given.report.arms
    return Evidence(
        given=given,
        alpha=alpha_of(given.gate.alpha, given.cycle),
        overall=paired(rows, given.candidate, BASELINE, planned),
        intents=tuple(sorted(intents, key=lambda pair: (-pair[1].pairs, pair[0]))),
        null=paired(rows, NULL_CONTROL, planned=planned),
        wrong_key=paired(rows, WRONG_KEY_CONTROL, planned=planned) if with_wrong_key else None,
        prompt_tokens=given.report.prompt_tokens.get(given.candidate),
    )
