"""The analysis of one agent: from its table of steps to the report, and to the cases that the report may not see.

Two looks at the same traces. `episodes` reads what calls say, for facts and for the decisions that hang on them, in a
sample where there are many. `decisions` reads all of them as sequences of codes, and finds every other kind of
pattern among the failures that the first look leaves unexplained.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis import facts, standing
from ninefold.analysis.cases import case_set
from ninefold.analysis.cues import with_cues
from ninefold.analysis.decisions.coding import Coder
from ninefold.analysis.decisions.study import Study, study
from ninefold.analysis.detectors import DETECTORS
from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import Opening, episodes, openings
from ninefold.analysis.part import Part, together
from ninefold.analysis.patterns import losing, patterns
from ninefold.analysis.population import load
from ninefold.analysis.questions import ask, not_identified
from ninefold.analysis.shrink import shrunk
from ninefold.analysis.standing import success_rate
from ninefold.api.artifacts import AnalysisReport, Bucket, CaseSet, RunInputs
from ninefold.api.policy import Analysis as Settings
from ninefold.traces import StepTable, bucket_of
from ninefold.traces.buckets import unit_hash

MAX_UNIDENTIFIED = 20
"""Sentences about contrasts without an answer; the most frequent decision points come first."""
READ = 20_000
"""Traces whose calls are read word by word; of more, a sample by hash, always the same."""


@dataclass(frozen=True)
class Analysis:
    """The report, whose `cases` are still empty, and the held-out cases that proposals never see."""

    report: AnalysisReport
    selection: CaseSet
    sealed: CaseSet


def analyze(table: StepTable, inputs: RunInputs) -> Analysis:
    """The analysis of traces that are all at hand: of one part."""
    return analyze_parts([Part.of(table, inputs)], inputs)


def analyze_parts(parts: Iterable[Part], inputs: RunInputs) -> Analysis:
    """Patterns, facts and figures from the analysis bucket of all parts; cases from the other two."""
    table = together(parts)
    settings = inputs.policy.analysis
    everyone = openings(table, settings.intent_key)
    buckets: dict[Bucket, list[Opening]] = {"analysis": [], "selection": [], "sealed": []}
    for opening in everyone:
        buckets[bucket_of(opening.session_id)].append(opening)
    mine = buckets["analysis"]
    population = episodes(table, sorted(mine, key=lambda o: unit_hash(o.trace_id, b"read"))[:READ])
    with Engine() as engine:
        load(engine, population)
        knowledge = facts.mine(engine, settings.intent_key)
        asked = [question for detector in DETECTORS for question in detector(population, knowledge)]
        answers = ask(engine, asked, settings.min_support, settings.false_discovery_rate)
        found = patterns(answers, knowledge, sum(e.solved for e in population), len(population))
        told = {c.episode.trace_id for a in answers if a.found for c in losing(a.question.choices)}
        more = _decisions(engine, table, mine, settings, informing=knowledge.informing, told=sorted(told))
    found += with_cues(more.patterns, population, settings.min_support)
    found = sorted(found, key=lambda p: (-p.nines_lost.estimate, -p.regret, p.id))
    found = shrunk(found, inputs.gains)
    unanswered = sorted(answers, key=lambda a: -len(a.question.choices))
    sentences = [s for a in unanswered if (s := not_identified(a, settings.min_support))]
    losses = dict(table.losses)
    if empty := sum(o.input is None for o in everyone):
        losses["cases_without_input"] = empty
    solved, rates = sum(o.solved for o in everyone), standing.rates(table.traces)
    report = AnalysisReport(
        traces=len(everyone),
        analysed=len(mine),
        steps=table.steps.num_rows,
        losses=losses,
        success=success_rate(solved, len(everyone)),
        patterns=found,
        unidentified=(sentences + more.unidentified)[:MAX_UNIDENTIFIED],
        calibration=more.values.calibration,
        versions=standing.versions(rates),
        plateau=standing.plateau(rates),
        budget=standing.budget(solved, len(everyone), found),
    )
    limit = inputs.policy.replay.max_cases
    return Analysis(
        report,
        case_set("selection", [o for o in buckets["selection"] if o.input is not None], limit),
        case_set("sealed", [o for o in buckets["sealed"] if o.input is not None], limit),
    )


def _decisions(engine: Engine, table: StepTable, mine: list[Opening], settings: Settings,
               *, informing: frozenset[str], told: list[str]) -> Study:  # fmt: skip
    own = pa.array([o.trace_id for o in mine], pa.string())
    coder = Coder(engine, settings.intent_key)
    coder.add(
        StepTable(
            table.traces.filter(pc.is_in(table.traces["trace_id"], value_set=own)),
            table.steps.filter(pc.is_in(table.steps["trace_id"], value_set=own)),
            table.scores,
            table.messages,
        )
    )
    return study(
        engine,
        coder,
        min_support=settings.min_support,
        rate=settings.false_discovery_rate,
        informing=informing,
        explained=told,
    )
