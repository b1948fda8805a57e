"""Questions that detectors ask of the population, and how a matched answer is got.

A question is one decision point with two arms: traces that chose what may be *better*, and traces that chose what was
*taken* instead. Every trace stands in a question once, at the first time it met the point, and only if it went on from
there: a trace that ended has made no choice.

The arms are matched within task where the tasks that met both are enough to decide. Otherwise they are matched within
intent and state (the signature of the steps before, what has been looked up, the last error), and then the few tasks
that met both may veto, when nothing of the difference shows within them. Without a task key and without an intent
nothing can be matched: what differs is a mix of tasks.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from ninefold.analysis import queries
from ninefold.analysis.engine import Engine
from ninefold.analysis.episodes import Call, Episode
from ninefold.analysis.population import table
from ninefold.analysis.state import State
from ninefold.analysis.stats.multiplicity import benjamini_hochberg
from ninefold.analysis.stats.stratified import Cell, Difference, compare
from ninefold.analysis.stats.wilson import wilson
from ninefold.api.artifacts import PatternKind

DECISIVE = 0.2
"""Half the width of the within-task interval, up to which it decides alone. Wider ones cannot tell a difference that
matters from none, so to go by them would make more data a reason to see less."""
VETO_STRATA = 5
"""Tasks with both arms from which their difference may veto one that was matched within intent and state."""
VETO_P = 0.2
"""One-sided p of that difference above which it vetoes. Few tasks cannot prove an effect, but a true one of a size
that matters leaves its trace in them."""

Matching = Literal["task", "intent and state"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One trace at the decision point: the state before it, the call it made, and whether that was the better arm.

    `shows` marks a taken choice that plainly went the way the pattern says (its call failed); such traces come first
    as evidence.
    """

    episode: Episode
    call: Call
    state: State
    better: bool
    shows: bool = True


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
    matching: Matching | None
    difference: Difference | None
    within_task: Difference | None
    found: bool = False


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
    found = {id(a) for a, keep in zip(tried, kept, strict=True) if keep and a.difference and a.difference.low > 0}
    return [_with_found(a, id(a) in found and not _vetoed(a)) for a in answers]


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
    within = compare(task)
    matching: Matching | None = None
    difference: Difference | None = None
    if min(better_tasks, taken_tasks) >= min_support:
        by_state = compare(state)
        if within is not None and within.strata >= min_support and (by_state is None or _decisive(within)):
            matching, difference = "task", within
        elif by_state is not None:
            matching, difference = "intent and state", by_state
    crude = _share(row["x1"], row["n1"]), _share(row["x0"], row["n0"])
    return Answer(question, better_tasks, taken_tasks, crude, matching, difference, within)


def _decisive(difference: Difference) -> bool:
    return difference.high - difference.low <= 2 * DECISIVE


def _vetoed(answer: Answer) -> bool:
    within = answer.within_task
    if answer.matching != "intent and state" or within is None or within.strata < VETO_STRATA:
        return False
    return within.estimate <= 0 or within.p_value / 2 > VETO_P


def _with_found(a: Answer, found: bool) -> Answer:
    return Answer(a.question, a.better_tasks, a.taken_tasks, a.crude, a.matching, a.difference, a.within_task, found)


def _share(x: int, n: int) -> float:
    return x / n if n else 0.0


def not_identified(answer: Answer, min_support: int) -> str | None:
    """Why what looks like a finding is none, as a sentence; None when it is one, or when there is nothing to see."""
    q, (better, taken) = answer.question, answer.crude
    fewest, within = min(answer.better_tasks, answer.taken_tasks), answer.within_task
    if answer.found or fewest == 0 or better <= taken or (fewest >= min_support and not _apart(answer)):
        return None
    seen = f"{q.kind}, {q.point}{q.about}: {better:.0%} of traces succeeded with the other choice, {taken:.0%} without"
    if fewest < min_support:
        return (
            f"{seen}, but only {fewest} distinct tasks stand on the smaller side and {min_support} are needed: "
            "more traces would tell"
        )
    if within is not None and (answer.matching == "task" or _vetoed(answer)):
        return (
            f"{seen}, but within the {within.strata} tasks that met both the difference is "
            f"{within.estimate * 100:+.0f} points: it lies between tasks (TaskMix)"
        )
    if answer.difference is not None:
        return None
    if any(c.episode.intent for c in q.choices):
        return f"{seen}, but the two were never chosen in the same state: what led there may be the cause"
    return (
        f"{seen}, yet only {within.strata if within else 0} tasks met both choices, so this may be a mix of tasks "
        "(TaskMix): more runs of the same task, a task key or an intent key would tell"
    )


def _apart(answer: Answer) -> bool:
    """Whether the crude shares would look like a finding to somebody who does not match."""
    n1 = sum(c.better for c in answer.question.choices)
    n0 = len(answer.question.choices) - n1
    better, taken = answer.crude
    return wilson(better * n1, n1)[0] > wilson(taken * n0, n0)[1]
