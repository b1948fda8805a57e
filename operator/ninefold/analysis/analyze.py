"""The analysis of one agent: from its table of steps to the report, and to the cases that the report may not see.

Two looks at the same traces. `episodes` reads what calls say, for facts and for the decisions that hang on them, in a
sample where there are many. `decisions` reads all of them as sequences of codes, and finds every other kind of
pattern among the failures that the first look leaves unexplained.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ninefold.analysis import facts, standing
from ninefold.analysis.cases import case_set, chosen, sizes
from ninefold.analysis.cues import with_cues
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.decisions.explain import credits_of
from ninefold.analysis.decisions.study import study
from ninefold.analysis.detectors import DETECTORS
from ninefold.analysis.drift import Moment
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import episodes
from ninefold.analysis.intents import INTENT, NOTHING, Intents, learn, with_intents
from ninefold.analysis.part import Part
from ninefold.analysis.patterns import losing, patterns
from ninefold.analysis.population import Population, load
from ninefold.analysis.questions import ask, not_identified
from ninefold.analysis.shrink import shrunk
from ninefold.analysis.standing import success_rate
from ninefold.analysis.together import Whole, cluster_names, together
from ninefold.analysis.uncollected import uncollected
from ninefold.api.cases import CaseSet
from ninefold.api.findings import AnalysisReport
from ninefold.api.inputs import RunInputs
from ninefold.traces import StepTable

Home = Callable[[], Engine]
MAX_CREDITS = 50
"""Steps of the best evidence that a report shows."""
MAX_UNIDENTIFIED = 20
"""Sentences about contrasts without an answer; the most frequent decision points come first."""


@dataclass(frozen=True)
class Analysis:
    """The report, whose `cases` are still empty, and the held-out cases that proposals never see.

    `intents` is the model that names what users did not: the next cycle wants it back.
    """

    report: AnalysisReport
    selection: CaseSet
    sealed: CaseSet
    intents: Intents


def analyze(table: StepTable, inputs: RunInputs) -> Analysis:
    """The analysis of traces that are all at hand: of one part."""
    return analyze_parts([Part.of(table, inputs)], inputs)


def analyze_parts(
    parts: Iterable[Part], inputs: RunInputs, intents: Intents | None = None, home: Home = Embedded
) -> Analysis:
    """Patterns, facts and figures from the analysis bucket of all parts; cases from the other two.

    `intents` is the model of the cycle before; `home` opens the engine. Raises EngineError.
    """
    return conclude(together(parts), inputs, intents, home)


@uncollected()
def conclude(whole: Whole, inputs: RunInputs, intents: Intents | None = None, home: Home = Embedded) -> Analysis:
    """The analysis of what is together."""
    settings = inputs.policy.analysis
    own = np.asarray(whole.mine)
    intents = _intents(whole, settings.intent_key, intents)
    mine = with_intents(whole.rows.filter(whole.mine), intents)
    named = settings.intent_key or (INTENT if intents.names else None)
    sampled = Population.of_sample(whole.sample)
    population = episodes(sampled, _clusters(whole))
    with home() as engine:
        knowledge = facts.mine(load(engine, sampled), settings.intent_key)
        asked = [question for detector in DETECTORS for question in detector(population, knowledge)]
        answers = ask(engine, asked, settings.min_support, settings.false_discovery_rate)
        found = patterns(answers, knowledge, sum(e.solved for e in population), len(population), _moments(whole))
        # A trace whose losing choice went well was not lost there: something else may be.
        told = {c.episode.trace_id for a in answers if a.found for c in losing(a.question.choices) if c.shows}
        coder = Coder.of(engine, named, mine, whole.clusters[own], whole.coded)
        more = study(
            engine,
            coder,
            min_support=settings.min_support,
            rate=settings.false_discovery_rate,
            informing=knowledge.informing,
            explained=sorted(told),
        )
        found += with_cues(more.patterns, sampled, settings.min_support)
        best = credits_of(engine, more.values, coder.codes.symbols, [p.evidence[0] for p in found if p.evidence])
    weak = more.values.calibration.weak
    found = [
        p.model_copy(update={"weak": weak, "credits": best.get(next(iter(p.evidence), ""), [])[:MAX_CREDITS]})
        for p in found
    ]
    found = sorted(found, key=lambda p: (-p.nines_lost.estimate, -p.regret, p.id))
    found = shrunk(found, inputs.gains)
    unanswered = sorted(answers, key=lambda a: -len(a.question.choices))
    sentences = [s for a in unanswered if (s := not_identified(a, settings.min_support))]
    losses = dict(sorted(whole.counts.losses.items()))
    runnable = pc.sum(whole.rows["runnable"]).as_py() or 0
    if runnable < whole.rows.num_rows:
        losses["cases_without_input"] = whole.rows.num_rows - runnable
    # A judge is no measure of nines: a model that errs in one of ten would cap them at one.
    known = whole.rows.filter(pc.invert(whole.rows["by_judge"]))
    judged, solved = known.num_rows, pc.sum(known["solved"]).as_py() or 0
    rates = standing.rates(known)
    report = AnalysisReport(
        traces=whole.rows.num_rows,
        analysed=mine.num_rows,
        steps=whole.counts.steps,
        losses=losses,
        success=success_rate(solved, judged),
        patterns=found,
        unidentified=(sentences + more.unidentified)[:MAX_UNIDENTIFIED],
        calibration=more.values.calibration,
        versions=standing.versions(rates),
        plateau=standing.plateau(rates),
        budget=standing.budget(solved, judged, found),
    )
    return Analysis(report, *_cases(whole, inputs), intents)


def _intents(whole: Whole, key: str | None, known: Intents | None) -> Intents:
    """The model of intents where the user names none. Of the analysis bucket alone, as everything that is learned."""
    if key is not None:
        return NOTHING
    asked = whole.sample.traces.filter(pc.is_valid(whole.sample.traces["asked"]))
    return learn(zip(map(str, asked["task"].to_pylist()), asked["asked"].to_pylist(), strict=True), known)


def _cases(whole: Whole, inputs: RunInputs) -> tuple[CaseSet, CaseSet]:
    strata, limit = sizes(whole.rows), inputs.policy.replay.max_cases
    selection = chosen("selection", whole.openings, strata, limit)
    sealed = chosen("sealed", whole.openings, strata, limit, inputs.sealed_since)
    clusters = cluster_names(whole, [row["trace_id"] for row in (*selection, *sealed)])
    return case_set("selection", selection, clusters), case_set("sealed", sealed, clusters)


def _moments(whole: Whole) -> dict[str, Moment]:
    """When the sampled traces ran, and under which version."""
    count = whole.sample.traces.num_rows
    first = whole.rows.filter(whole.mine).slice(0, count)
    return {t: (v, d) for t, v, d in zip(*(first[c].to_pylist() for c in ("trace_id", "version", "day")), strict=True)}


def _clusters(whole: Whole) -> list[str]:
    """Clusters of the sampled traces, which are the first of the analysis bucket."""
    return list(map(str, whole.clusters[np.asarray(whole.mine)][: whole.sample.traces.num_rows].tolist()))
