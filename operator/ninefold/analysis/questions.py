"""Questions that detectors ask of the population, and how a matched answer is got.

A question is one decision point with two arms: traces that chose what may be *better*, and traces that chose what was
*taken* instead. Every trace stands in a question once, at the first time it met the point, and only if it went on from
there: a trace that ended has made no choice.

How the arms are matched is said in `matched`: within task where that can decide, else within intent and state (the
signature of the steps before, what has been looked up, the last error), and where tasks recur they must agree. Without
a task key and without an intent nothing can be matched: what differs is a mix of tasks.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ninefold.analysis import queries
from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import Call, Episode
from ninefold.analysis.matched import Matched, agreeing, match
from ninefold.analysis.population import table
from ninefold.analysis.state import State
from ninefold.analysis.stats import power
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.power import Repeats
from ninefold.analysis.stats.stratified import Cell, Difference, compare
from ninefold.analysis.stats.wilson import wilson
from ninefold.api.findings import PatternKind


@dataclass(frozen=True, slots=True)
class Choice:
    """One trace at the decision point: the state before it, the call it made, and whether that was the better arm.

    `shows` marks a taken choice that plainly went the way the pattern says (its call failed); such traces come first
    as evidence. `names`: what the call brings in that nothing before it supports.
    """

    episode: Episode
    call: Call
    state: State
    better: bool
    shows: bool = True
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """`point` is the decision point as a reader names it; `errors` are the signatures that led there or came of it.

    `later_than` is the point of the question that is the same, asked earlier in the trace, where there is one.
    """

    kind: PatternKind
    point: str
    choices: Sequence[Choice]
    errors: Sequence[str] = ()
    about: str = ""
    later_than: str | None = None


@dataclass(frozen=True)
class Answer:
    """What the population says to a question. `difference` is None when nothing could be matched."""

    question: Question
    better_tasks: int
    taken_tasks: int
    crude: tuple[float, float]
    matched: Matched
    repeats: Repeats
    found: bool = False

    @property
    def difference(self) -> Difference | None:
        return self.matched.difference


_CHOICES = pa.schema(
    [
        ("question", pa.int32()),
        ("task_stratum", pa.string()),
        ("state_stratum", pa.string()),
        ("cluster", pa.string()),
        ("task", pa.string()),
        ("better", pa.bool_()),
        ("solved", pa.bool_()),
    ]
)


def ask(engine: Engine, questions: Sequence[Question], min_support: int, rate: float) -> list[Answer]:
    """Answers in the order of the questions; those that hold over everything tried are `found`."""
    engine.load("choices", table(_CHOICES, (row for i, q in enumerate(questions) for row in _rows(i, q))))
    cells: defaultdict[tuple[Any, Any], list[Cell]] = defaultdict(list)
    for r in engine.query(queries.CELLS):
        cell = Cell(r["stratum"], r["cluster"], r["n1"], r["x1"], r["n0"], r["x0"])
        cells[r["question"], r["matching"]].append(cell)
    support = {r["question"]: r for r in engine.query(queries.SUPPORT)}
    answers = [
        _answer(q, support[i], cells[i, "task"], cells[i, "state"], min_support)
        for i, q in enumerate(questions)
        if i in support
    ]
    tried = [a for a in answers if a.difference is not None]
    kept = benjamini_hochberg([a.difference.p_value for a in tried if a.difference], rate)
    found = [a for a, keep in zip(tried, kept, strict=True) if keep and a.difference and a.difference.low > 0]
    agree = agreeing([a.matched for a in found])
    holds = {id(a) for a, agrees in zip(found, agree, strict=True) if agrees}
    return [replace(a, found=id(a) in holds) for a in answers]


def _rows(number: int, question: Question) -> list[tuple[Any, ...]]:
    return [
        (
            number,
            c.episode.task if c.episode.same_task else "",
            f"{c.episode.intent}\x1f{c.state}" if c.episode.intent else "",
            c.episode.cluster,
            c.episode.task,
            c.better,
            c.episode.solved,
        )
        for c in question.choices
    ]


def _answer(question: Question, row: Any, task: list[Cell], state: list[Cell], min_support: int) -> Answer:
    better_tasks, taken_tasks = int(row["better_tasks"]), int(row["taken_tasks"])
    repeats, recurring = _repeats(question)
    enough = min(better_tasks, taken_tasks) >= min_support
    matched = match(task, state, recurring, min_support) if enough else Matched(None, None, compare(task))
    crude = _share(row["x1"], row["n1"]), _share(row["x0"], row["n0"])
    return Answer(question, better_tasks, taken_tasks, crude, matched, repeats)


def _repeats(question: Question) -> tuple[Repeats, int]:
    """How runs of one task differ from each other, and how many tasks ran more than once."""
    runs: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for c in question.choices:
        if c.episode.same_task:
            runs[c.episode.task].append((c.better, c.episode.solved))
    pairs = sum(len(own) * (len(own) - 1) / 2 for own in runs.values()) or 1.0
    arms, outcomes = (
        sum(k * (len(own) - k) for own in runs.values() for k in [sum(run[i] for run in own)]) / pairs for i in (0, 1)
    )
    repeats = Repeats(len(runs), sum(map(len, runs.values())), arms, outcomes)
    return repeats, sum(len(own) > 1 for own in runs.values())


def _share(x: int, n: int) -> float:
    return x / n if n else 0.0


def not_identified(answer: Answer, min_support: int) -> str | None:
    """Why what looks like a finding is none, as a sentence; None when it is one, or when there is nothing to see."""
    q, (better, taken) = answer.question, answer.crude
    fewest = min(answer.better_tasks, answer.taken_tasks)
    if answer.found or fewest == 0 or better <= taken or (fewest >= min_support and not _apart(answer)):
        return None
    why = (
        f"but only {fewest} distinct tasks stand on the smaller side and {min_support} are needed: more traces would "
        "tell"
        if fewest < min_support
        else _unmatched(answer, min_support)
    )
    share = f"{better:.0%} of traces succeeded with the other choice, {taken:.0%} without"
    return why and f"{q.kind}, {q.point}{q.about}: {share}, {why}"


def _unmatched(answer: Answer, min_support: int) -> str | None:
    """Why enough traces on both arms show nothing; None where they were matched and it just may be chance."""
    how, within = answer.matched.how, answer.matched.within
    tell = power.told(answer.repeats, answer.crude[0] - answer.crude[1], min_support)
    if within is not None and how in ("task", "task and state"):
        apart = within.high < answer.crude[0] - answer.crude[1]
        lies = "it lies between tasks (TaskMix)" if apart else f"it may lie between tasks (TaskMix); {tell}"
        return (
            f"but within the {within.strata} tasks that met both the difference is {within.estimate * 100:+.0f} points "
            f"({within.low * 100:+.0f} to {within.high * 100:+.0f}): {lies}"
        )
    if how is not None:
        return None
    if answer.repeats.tasks:
        both = within.strata if within is not None else 0
        return f"yet only {both} tasks met both choices, so this may be a mix of tasks (TaskMix); {tell}"
    if any(c.episode.intent for c in answer.question.choices):
        return "but the two were never chosen in the same state: what led there may be the cause"
    return "and nothing says which traces are alike (TaskMix): a task key or an intent key would tell"


def _apart(answer: Answer) -> bool:
    """Whether the crude shares would look like a finding to somebody who does not match."""
    n1 = sum(c.better for c in answer.question.choices)
    n0 = len(answer.question.choices) - n1
    better, taken = answer.crude
    return wilson(better * n1, n1)[0] > wilson(taken * n0, n0)[1]
