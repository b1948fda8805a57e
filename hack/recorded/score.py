"""Scoring on questions that no stage has seen: solved or not, and how often the agent named what does not exist."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from recorded.agent import Case

INVENTED = re.compile(r"doesn't exist|Unknown column")
"""What the environment answers to an identifier that it does not have. The harness knows it; the operator must not."""

Play = Callable[[Case, Mapping[str, str]], dict[str, Any]]
Render = Callable[[Mapping[str, object]], Mapping[str, str]]


@dataclass(frozen=True)
class Played:
    """One case under one version."""

    solved: bool
    invented: int
    steps: int


@dataclass(frozen=True)
class Figures:
    """The result of one seed. Counts are numbers of cases; `invented_per_case` and `steps_per_case` are means."""

    seed: int | list[int]
    cases: int
    blind: int
    promoted: int
    wins: int
    losses: int
    invented_per_case: float
    cases_with_invented: int
    steps_per_case: float
    calls: int
    edits: int = 0
    edits_within: int = 0
    """Promoted lines, and those whose gain on unseen questions is within five points of what the run promised."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def play_all(cases: Sequence[Case], play: Play, render: Render) -> list[Played]:
    """Every case once, rendered with its own metadata, eight at a time; in the order of the cases."""

    def one(case: Case) -> Played:
        answer = play(case, render(case["metadata"]))
        return Played(
            solved=answer["scores"]["solved"] == 1,
            invented=sum(bool(INVENTED.search(step["output"])) for step in answer["steps"]),
            steps=len(answer["steps"]),
        )

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, cases))


def figures(
    seed: int, blind: Sequence[Played], promoted: Sequence[Played], calls: int, *, edits: int = 0, edits_within: int = 0
) -> Figures:
    """Both versions on the same cases, paired. `calls` is what the run paid at the replay endpoint."""
    pairs = list(zip(blind, promoted, strict=True))
    return Figures(
        seed=seed,
        cases=len(pairs),
        blind=sum(b.solved for b in blind),
        promoted=sum(p.solved for p in promoted),
        wins=sum(p.solved and not b.solved for b, p in pairs),
        losses=sum(b.solved and not p.solved for b, p in pairs),
        invented_per_case=round(sum(p.invented for p in promoted) / len(pairs), 3),
        cases_with_invented=sum(p.invented > 0 for p in promoted),
        steps_per_case=round(sum(p.steps for p in promoted) / len(pairs), 3),
        calls=calls,
        edits=edits,
        edits_within=edits_within,
    )


def pooled(several: Iterable[Figures]) -> Figures:
    """All seeds together: counts summed, means weighted by cases."""
    rows = list(several)
    cases = sum(row.cases for row in rows)
    return Figures(
        seed=[row.seed for row in rows if isinstance(row.seed, int)],
        cases=cases,
        blind=sum(row.blind for row in rows),
        promoted=sum(row.promoted for row in rows),
        wins=sum(row.wins for row in rows),
        losses=sum(row.losses for row in rows),
        invented_per_case=round(sum(row.invented_per_case * row.cases for row in rows) / cases, 3),
        cases_with_invented=sum(row.cases_with_invented for row in rows),
        steps_per_case=round(sum(row.steps_per_case * row.cases for row in rows) / cases, 3),
        calls=sum(row.calls for row in rows),
        edits=sum(row.edits for row in rows),
        edits_within=sum(row.edits_within for row in rows),
    )
