"""The analysis of one agent: from its table of steps to the report, and to the cases that the report may not see."""

from dataclasses import dataclass

from ninefold.analysis import facts
from ninefold.analysis.cases import case_set
from ninefold.analysis.detectors import DETECTORS
from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import Opening, episodes, openings
from ninefold.analysis.patterns import patterns
from ninefold.analysis.population import load
from ninefold.analysis.questions import ask, not_identified
from ninefold.analysis.stats.wilson import nines, wilson
from ninefold.api.agent import SuccessRate
from ninefold.api.artifacts import AnalysisReport, Bucket, CaseSet, RunInputs
from ninefold.traces import StepTable, bucket_of

MAX_UNIDENTIFIED = 20
"""Sentences about contrasts without an answer; the most frequent decision points come first."""


@dataclass(frozen=True)
class Analysis:
    """The report, whose `cases` are still empty, and the held-out cases that proposals never see."""

    report: AnalysisReport
    selection: CaseSet
    sealed: CaseSet


def analyze(table: StepTable, inputs: RunInputs) -> Analysis:
    """Patterns, facts and figures from the analysis bucket; cases from the other two."""
    settings = inputs.policy.analysis
    everyone = openings(table, settings.intent_key)
    buckets: dict[Bucket, list[Opening]] = {"analysis": [], "selection": [], "sealed": []}
    for opening in everyone:
        buckets[bucket_of(opening.session_id)].append(opening)
    mine = buckets["analysis"]
    population = episodes(table, mine)
    with Engine() as engine:
        load(engine, population)
        knowledge = facts.mine(engine, settings.intent_key)
        asked = [question for detector in DETECTORS for question in detector(population, knowledge)]
        answers = ask(engine, asked, settings.min_support, settings.false_discovery_rate)
    unanswered = sorted(answers, key=lambda a: -len(a.question.choices))
    sentences = [s for a in unanswered if (s := not_identified(a, settings.min_support))]
    losses = dict(table.losses)
    if empty := sum(o.input is None for o in everyone):
        losses["cases_without_input"] = empty
    report = AnalysisReport(
        traces=len(everyone),
        analysed=len(population),
        steps=table.steps.num_rows,
        losses=losses,
        success=success_rate(sum(o.solved for o in everyone), len(everyone)),
        patterns=patterns(answers, knowledge, sum(e.solved for e in population), len(population)),
        unidentified=sentences[:MAX_UNIDENTIFIED],
    )
    limit = inputs.policy.replay.max_cases
    return Analysis(
        report,
        case_set("selection", [o for o in buckets["selection"] if o.input is not None], limit),
        case_set("sealed", [o for o in buckets["sealed"] if o.input is not None], limit),
    )


def success_rate(solved: int, traces: int) -> SuccessRate:
    """Success with its Wilson interval of 95 %, and the nines that its lower bound supports."""
    low, high = wilson(solved, traces)
    rate = solved / traces if traces else 0.0
    return SuccessRate(traces=traces, rate=rate, low=low, high=high, nines=nines(solved, traces))
