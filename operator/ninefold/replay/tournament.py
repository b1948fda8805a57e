"""The two replays as a whole: the race on the selection cases, and the proof on the sealed ones.

The race spends where it learns most. Round one runs the failures of the first half of the cases, for that is what
candidates are meant to mend: what does not move there is dropped cheaply. Round two adds the successes of that half, so
that harm shows and the sample is a small picture of the whole again; then the leader may be so clear that the rest is
not bought. Round three is the rest, for the better half of the candidates. After each round candidates that are clearly
behind drop out (two standard errors), and after the first, two that stand and answer different patterns are merged and
run on the same cases.

Then come the choices that cost nothing or little: another arm, or none, in strata where the winner is clearly not the
best (`compose`), and the winner with each line left out, on at most `ABLATION_CASES` cases (`ablation`). Lines that are
shown to do harm leave. What comes out proves nothing and need not: it is frozen and judged on other cases.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ninefold.api.artifacts import BASELINE, NULL_CONTROL, WRONG_KEY_CONTROL, Candidate, Case, ReplayRow, VersionContent
from ninefold.api.edits import Effect
from ninefold.client import metadata_text
from ninefold.pairing import cluster_order
from ninefold.replay import ablation, compose
from ninefold.replay.controls import null_edit, wrong_key
from ninefold.replay.racing import better_half, leads_clearly, race, survivors
from ninefold.replay.runner import Arm, Runner
from ninefold.versions import edit_hash, extended, rendered

log = logging.getLogger(__name__)

ABLATION_CASES = 60
"""Selection cases, at most, on which lines are left out."""


LOOK_EVERY = 40
"""Sealed cases between two looks at whether they are enough."""


@dataclass(frozen=True)
class Selection:
    """How the race ended. `candidate` is the winner as it is to be frozen, None without one."""

    rows: list[ReplayRow]
    arms: list[str]
    why: str
    candidate: Candidate | None = None
    removals: list[str] = field(default_factory=list)


def rounds(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases, which stand in a balanced order, in three rounds: see above. Empty rounds are left out."""
    half, rest = list(cases[: (len(cases) + 1) // 2]), list(cases[(len(cases) + 1) // 2 :])
    failed = [case for case in half if not case.succeeded]
    solved = [case for case in half if case.succeeded]
    return [one for one in (failed, solved, rest) if one]


class Tournament:
    """One race. `key`: the metadata key of the strata, None when delivery cannot carry conditions."""

    def __init__(self, runner: Runner, stable: VersionContent, key: str | None) -> None:
        self._runner, self._stable, self._key = runner, stable, key
        self._rows: list[ReplayRow] = []
        self._ran: list[Case] = []

    async def select(self, candidates: Sequence[Candidate], cases: Sequence[Case]) -> Selection:
        """Race the candidates on the cases, which are as many as may be paid for."""
        known = {one.id: one for one in candidates}
        alive = list(known)
        stages = rounds(cases) if known else []
        for number, batch in enumerate(stages):
            await self._run(batch, [known[one] for one in alive])
            alive = survivors(self._rows, alive)
            if number == 1:
                alive = better_half(self._rows, alive)
            log.info("raced", extra={"cases": len(self._rows), "of": len(cases), "alive": alive})
            if self._runner.budget_spent or not alive:
                break
            if number == 0 and (both := compose.merged([known[one] for one in alive], list(known.values()))):
                known[both.id] = both
                alive.append(both.id)
                await self._catch_up([known[one] for one in alive])
            elif number == 1 and len(alive) == 1 and leads_clearly(self._rows, alive[0]):
                break
        # When all are out, the race over all of them says how far they were behind.
        sizes = {one: self._added(known[one]) for one in alive or known}
        result = race(self._rows, sizes, shrinking=[one for one in sizes if not known[one].edits])
        arms = [BASELINE, NULL_CONTROL, *known]
        if result.winner is None:
            return Selection(self._rows, arms, result.why)
        winner, why = self._split(known[result.winner], known, result.why)
        winner, removals, told = await self._ablate(winner)
        return Selection(self._rows, arms, "; ".join([why, *told]), winner, removals)

    def _added(self, candidate: Candidate) -> int:
        """Characters that a candidate adds to the prompts; below zero when it takes more away."""
        gone = sum(len(edit.text) for edit in self._stable.edits if edit_hash(edit) in candidate.removes)
        return sum(len(edit.text) for edit in candidate.edits) - gone

    async def _run(self, batch: Sequence[Case], candidates: Sequence[Candidate]) -> None:
        rows = await self._runner.run(batch, self._arms(candidates))
        self._rows += rows
        ran = {row.case_id for row in rows}
        self._ran += [case for case in batch if case.case_id in ran]

    async def _catch_up(self, candidates: Sequence[Candidate]) -> None:
        """Run a new candidate on the cases so far; what was answered before is not bought again."""
        again = {row.case_id: row for row in await self._runner.run(self._ran, self._arms(candidates))}
        for place, row in enumerate(self._rows):
            if row.case_id in again:
                self._rows[place] = row.model_copy(update={"outcomes": row.outcomes | again[row.case_id].outcomes})

    def _arms(self, candidates: Sequence[Candidate]) -> list[Arm]:
        standing = [Arm(BASELINE, self._stable), Arm(NULL_CONTROL, extended(self._stable, [null_edit(self._stable)]))]
        return [*standing, *(Arm(one.id, extended(self._stable, one.edits, one.removes)) for one in candidates)]

    # ------------------------------------------------------------ strata

    def _split(self, winner: Candidate, known: Mapping[str, Candidate], why: str) -> tuple[Candidate, str]:
        if self._key is None:
            return winner, why
        chosen = compose.choices(self._rows, winner.id, [one for one in known if one != winner.id])
        if not chosen:
            return winner, why
        # An intent is a metadata value as text; the condition must be the text by which the renderer compares it.
        strata = {
            case.intent: metadata_text(case.metadata[self._key])
            for case in self._ran
            if case.intent is not None and self._key in case.metadata
        }
        found = compose.split(
            winner, known, {name: arm for name, arm in chosen.items() if name in strata}, self._key, strata
        )
        if found is None:
            return (
                winner,
                f"{why}; {len(chosen)} strata would do better otherwise, but that is no deliverable candidate",
            )
        taken = {name: chosen.get(name, winner.id) for name in strata}
        self._rows = [
            row.model_copy(update={"outcomes": row.outcomes | {found.id: row.outcomes[taken[row.intent]]}})
            if row.intent in taken and taken[row.intent] in row.outcomes
            else row
            for row in self._rows
        ]
        return found, f"{why}; in {len(chosen)} of {len(strata)} strata another choice is clearly better and taken"

    # ------------------------------------------------------------ leaving lines out

    async def _ablate(self, winner: Candidate) -> tuple[Candidate, list[str], list[str]]:
        """The winner with receipts and without harmful lines, and what the stable version could do without."""
        cases = self._ran[:ABLATION_CASES] if not self._runner.budget_spent else []
        full = extended(self._stable, winner.edits, winner.removes)
        mine = set(ablation.lines(winner.edits))
        stable = {ablation.line(edit) for edit in full.edits} - mine
        arms = ablation.ablations(full.edits)
        if not cases or not arms:
            return winner, [], []
        contents = {one.arm: full.model_copy(update={"edits": list(one.edits)}) for one in arms}
        rows = await self._runner.run(
            cases, [Arm(BASELINE, self._stable), Arm(winner.id, full), *(Arm(a, c) for a, c in contents.items())]
        )
        effects: dict[ablation.Line, Effect | None] = {}
        for one in arms:
            touched = {case.case_id for case in cases if self._differ(case, full, contents[one.arm])}
            effects[one.left_out] = ablation.effect([row for row in rows if row.case_id in touched], winner.id, one.arm)
        told = []
        kept = ablation.without_losers(winner, {line: e for line, e in effects.items() if line in mine})
        if len(kept.edits) < len(winner.edits):
            told.append(f"{len(winner.edits) - len(kept.edits)} edits were left out, for without them it does better")
            kept = kept.model_copy(update={"id": f"{winner.id}:pruned"})
        removals = ablation.removals(self._stable.edits, {line: e for line, e in effects.items() if line in stable})
        return ablation.with_effects(kept, effects), removals, told

    def _differ(self, case: Case, one: VersionContent, other: VersionContent) -> bool:
        metadata = case.metadata if self._runner.by_metadata else None
        return rendered(one, metadata) != rendered(other, metadata)


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
