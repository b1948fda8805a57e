"""The sealed replay: the frozen candidate beside baseline and negative controls, as far as the gate needs it."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, WRONG_KEY_CONTROL, ReplayRow
from ninefold.pairing import cluster_order
from ninefold.replay.controls import null_edit, wrong_key
from ninefold.replay.runner import Arm, Runner
from ninefold.versions import extended

LOOK_EVERY = 40
"""Sealed cases between two looks at whether they are enough."""


async def prove(
    runner: Runner,
    stable: VersionContent,
    candidate: Candidate,
    cases: Sequence[Case],
    enough: Callable[[list[str], list[ReplayRow]], bool] = lambda arms, rows: False,
) -> tuple[list[str], list[ReplayRow]]:
    """Arms and rows of the frozen candidate on the sealed cases, beside baseline and negative controls.

    Cases are run cluster by cluster in the order of the clusters' hashes, which is the order in which the gate reads
    them: so one may stop as soon as `enough` says that the rows prove what they should, and what has been run is a
    beginning of what would have been. It is asked after every `LOOK_EVERY` cases.
    """
    arms = [
        Arm(BASELINE, stable),
        Arm(candidate.id, extended(stable, candidate.edits, candidate.removes)),
        Arm(NULL_CONTROL, extended(stable, [null_edit(stable)])),
    ]
    if misplaced := wrong_key(candidate.edits):
        arms.append(Arm(WRONG_KEY_CONTROL, extended(stable, misplaced)))
    names = [arm.id for arm in arms]
    rows: list[ReplayRow] = []
    for batch in looks(cases):
        rows += await runner.run(batch, arms)
        if runner.budget_spent or enough(names, rows):
            break
    return names, rows


def plan_of(cases: Sequence[Case]) -> dict[str, Any]:
    """`planned_clusters` and `planned_by_intent` of a report over these cases."""
    by_intent: dict[str, set[str]] = {}
    for case in cases:
        if case.intent is not None:
            by_intent.setdefault(case.intent, set()).add(case.cluster)
    return {
        "planned_clusters": len({case.cluster for case in cases}) or None,
        "planned_by_intent": {name: len(own) for name, own in by_intent.items()},
    }


def looks(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in batches of whole clusters, in the order of the clusters' hashes."""
    batches: list[list[Case]] = [[]]
    ordered = sorted(cases, key=lambda case: (cluster_order(case.cluster), case.case_id))
    for _, own in groupby(ordered, key=lambda case: case.cluster):
        if len(batches[-1]) >= LOOK_EVERY:
            batches.append([])
        batches[-1] += own
    return batches
