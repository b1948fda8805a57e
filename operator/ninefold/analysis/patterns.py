"""Answers that hold, as failure patterns: what it costs, what shows it, and a sentence that a person understands."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ninefold.analysis.drift import Moment, with_drift
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Answer, Choice
from ninefold.analysis.stats.stratified import Difference
from ninefold.analysis.stats.wilson import nines
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.findings import Decision, Interval, Introduced, Pattern, PatternKind

MAX_EVIDENCE = 10
MAX_NAMES = 5
"""Unsupported names that are shown of one call."""
OCCURS_SHARE = 0.05
"""Share of the traces with equal knowledge from which the better choice counts as one that they have."""
OTHER_TOOLS = 0.1
"""Calls of other tools, per call of the commonest, up to which a decision is about that one tool."""
_WITH_FACTS: tuple[PatternKind, ...] = ("ContextGap", "HallucinationTrigger")
_TAKEN = {
    "ContextGap": "goes on with {taken} without having looked anything up",
    "HallucinationTrigger": "calls {taken} with what nothing before it supports",
    "ErrorLoop": "answers the error with {taken} once more",
}
_BETTER = {
    "ContextGap": "look up first ({better})",
    "HallucinationTrigger": "name only what they were told or shown",
    "ErrorLoop": "do something else ({better})",
}


def patterns(answers: Sequence[Answer], knowledge: Knowledge, solved: int, traces: int,
             moments: Mapping[str, Moment]) -> list[Pattern]:  # fmt: skip
    """The patterns found, by the nines they cost, worst first. `solved` of `traces` succeeded in the population.

    `moments` says by trace id under which version and on which day it ran.
    """
    held = [a for a in answers if a.found and losing(a.question.choices)]
    told = {(a.question.kind, a.question.point) for a in held}
    # A later look at the same loop says nothing of its own where the first one shows it.
    found = [
        (_pattern(a, knowledge, solved, traces), a)
        for a in held
        if (a.question.kind, a.question.later_than) not in told
    ]
    found.sort(key=lambda pair: (-pair[0].nines_lost.estimate, -pair[0].regret, pair[0].id))
    out, explained = list[Pattern](), set[str]()
    for pattern, answer in found:
        own = [c.episode for c in losing(answer.question.choices) if c.episode.trace_id not in explained]
        explained.update(e.trace_id for e in own)
        assert answer.difference is not None
        more = gain(answer.difference, len(own), sum(not e.solved for e in own), traces)
        counted = pattern.model_copy(update={"predicted_gain": more.estimate, "predicted": more})
        out.append(with_drift(counted, _seen(answer.question.choices, moments)))
    return out


def gain(effect: Difference, taken: int, failed: int, traces: int) -> Interval:
    """Success rate that a pattern's mending adds where `taken` traces, of which `failed`, lose in it and in no pattern
    before it: what two patterns explain is counted once."""
    low, most, high = (min(max(0.0, d) * taken, failed) / traces for d in (effect.low, effect.estimate, effect.high))
    return Interval(estimate=most, low=low, high=high)


def _pattern(answer: Answer, knowledge: Knowledge, solved: int, traces: int) -> Pattern:
    question, effect = answer.question, answer.difference
    assert effect is not None
    taken = losing(question.choices)
    failed = [c for c in taken if not c.episode.solved]
    evidence = _evidence(question.choices)
    decision = _decision(answer, taken)

    def lost(difference: float) -> float:
        """Nines that the agent would have more of if every losing trace had gained this much."""
        saved = min(max(0.0, difference) * len(taken), len(failed))
        return nines(solved + saved, traces) - nines(solved, traces)

    return Pattern(
        id=sha256(canonical([question.kind, decision.point, decision.taken, decision.better]))[:12],
        kind=question.kind,
        summary=_summary(answer, decision, len(taken), len(failed)),
        decision=decision,
        failures=len(failed),
        traces=len(taken),
        tasks=len({c.episode.task for c in taken}),
        effect=Interval(estimate=effect.estimate, low=effect.low, high=effect.high),
        p_value=effect.p_value,
        regret=max(0.0, effect.low) * len(taken),
        nines_lost=Interval(estimate=lost(effect.estimate), low=lost(effect.low), high=lost(effect.high)),
        predicted_gain=0.0,
        evidence=evidence,
        introduced=_introduced(taken, evidence),
        errors=list(question.errors),
        facts=knowledge.facts if question.kind in _WITH_FACTS else [],
        facts_cover=_cover(taken, knowledge) if question.kind in _WITH_FACTS else None,
    )


def losing(choices: Sequence[Choice]) -> list[Choice]:
    """Those that took the losing choice knowing no more and no less than others who made the better one.

    Where nobody who knew as much ever made the better choice, nothing was measured, and nothing is claimed.
    """
    all_of = Counter(c.state.known for c in choices)
    better_of = Counter(c.state.known for c in choices if c.better)
    real = {known for known, n in better_of.items() if n >= OCCURS_SHARE * all_of[known]}
    return [c for c in choices if not c.better and c.state.known in real]


def _cover(taken: Sequence[Choice], knowledge: Knowledge) -> float | None:
    """How often what is known of a losing trace's intent names all that its successful traces needed, on average."""
    if not knowledge.facts:
        return None
    return sum(knowledge.cover.get(c.episode.intent, 0.0) for c in taken) / len(taken)


def _seen(choices: Sequence[Choice], moments: Mapping[str, Moment]) -> dict[Moment, tuple[int, int]]:
    met, taken = (Counter(moments[c.episode.trace_id] for c in own) for own in (choices, losing(choices)))
    return {moment: (n, taken[moment]) for moment, n in met.items()}


def _decision(answer: Answer, taken: Sequence[Choice]) -> Decision:
    better = [c for c in answer.question.choices if c.better]
    taken_most = Counter(c.call.action for c in taken).most_common(1)[0][0]
    winning = Counter(c.call.action for c in better).most_common(1)[0][0]
    return Decision(
        point=answer.question.point,
        taken=taken_most,
        better=winning,
        better_example=_example(better, winning) if winning != taken_most else None,
        tool=_common(c.call.tool for c in taken),
    )


def _common(tools: Iterable[str]) -> str | None:
    """The one tool that nearly every call is of; None when a rule about it would leave many of them out."""
    (tool, times), *others = Counter(tools).most_common()
    return tool if sum(n for _, n in others) <= OTHER_TOOLS * times else None


def _example(choices: Sequence[Choice], action: str) -> str | None:
    """The arguments that most distinct tasks used for an action; None when no two did, for they may be one user's."""
    tasks: defaultdict[str, set[str]] = defaultdict(set)
    surface: dict[str, str] = {}
    for choice in choices:
        if choice.call.action == action:
            text = choice.call.source
            tasks[text.lower()].add(choice.episode.task)
            surface.setdefault(text.lower(), text)
    best = max(tasks, key=lambda t: (len(tasks[t]), t))
    return surface[best] if len(tasks[best]) > 1 else None


def _evidence(choices: Sequence[Choice]) -> list[str]:
    """Failed traces of the losing arm; first those that plainly show it and whose task the better choice solved."""
    mended = {c.episode.task for c in choices if c.better and c.episode.solved}
    failed = [c for c in losing(choices) if not c.episode.solved]
    failed.sort(key=lambda c: (not c.shows, c.episode.task not in mended, len(c.episode.calls), c.episode.trace_id))
    return [c.episode.trace_id for c in failed[:MAX_EVIDENCE]]


def _introduced(taken: Sequence[Choice], evidence: Sequence[str]) -> list[Introduced]:
    """In each of these traces the call that brought in what nothing supports."""
    calls = {c.episode.trace_id: c for c in taken if c.names}
    return [
        Introduced(
            trace_id=t, call=calls[t].call.k, action=calls[t].call.action, names=list(calls[t].names[:MAX_NAMES])
        )
        for t in evidence
        if t in calls
    ]


def _summary(answer: Answer, decision: Decision, taken: int, failed: int) -> str:
    question, effect = answer.question, answer.difference
    assert effect is not None
    point = decision.point if decision.point.startswith(("after", "next")) else f"at the {decision.point}"
    example = decision.better_example or decision.better or ""
    within, how = answer.matched.within, answer.matched.how
    both = within.strata if within else 0
    matched = f"the {both} tasks that met both"
    if how == "task and state":
        matched = f"the same intent and state and within the {both} tasks that met both"
    elif how != "task":
        matched = "the same intent and state, for tasks do not recur"
    return (
        f"{point[0].upper()}{point[1:]}{question.about} the agent "
        f"{_TAKEN[question.kind].format(taken=decision.taken)}: {taken} traces, "
        f"{failed} failed. Traces that {_BETTER[question.kind].format(better=example)} succeed "
        f"{effect.estimate * 100:+.0f} points more often (95 % interval {effect.low * 100:+.0f} to "
        f"{effect.high * 100:+.0f}, p = {effect.p_value:.2g}), matched within {matched}."
    )
