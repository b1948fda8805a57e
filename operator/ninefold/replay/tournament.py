"""The race on the selection cases as a whole; what it asks of figures is in `racing`, `compose` and `ablation`.

It spends where it learns most. First come the failures of the first half of the cases, for that is what candidates are
meant to mend: what does not move there is dropped cheaply (two standard errors behind, asked after every `LOOK_EVERY`
cases). Two that stand after them and answer different patterns are merged and run on the same cases. Then come that
half's successes, so that harm shows and the sample is a small picture of the whole again; the better half of the
candidates goes on. The other half of the cases is bought look by look, for as long as it is worth it: for the
candidates that could still overtake, and until the leader is settled against baseline and null edit
(`racing.worth_of_more`).

A race may be settled while a stratum is not. Where neither the winner nor no edit is clearly better, the rest of the
stratum's own cases is run under these two (`compose.unsettled`). Then come the choices: another arm, or none, in strata
where the winner is clearly not the best; where it would be none, the winner without the lines that ask for one thing
if that does better than nothing, for often they do the harm. Last, each line is left out on at most `ABLATION_CASES`
cases, and lines that are shown to do harm leave. What comes out proves nothing and need not: it is frozen and judged on
other cases.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case
from ninefold.api.edits import Effect
from ninefold.api.findings import Pattern
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, ReplayRow
from ninefold.client import metadata_text
from ninefold.replay import ablation, compose
from ninefold.replay.controls import null_edit
from ninefold.replay.racing import better_half, race, settled, still_open, survivors
from ninefold.replay.recorded import tool_of
from ninefold.replay.runner import Arm, Runner
from ninefold.versions import edit_hash, extended, rendered

log = logging.getLogger(__name__)

ABLATION_CASES = 60
"""Selection cases, at most, on which lines are left out."""
LOOK_EVERY = 20
"""Cases between two looks at who is left."""


@dataclass(frozen=True)
class Selection:
    """How the race ended. `candidate` is the winner as it is to be frozen, None without one."""

    rows: list[ReplayRow]
    arms: list[str]
    why: str
    candidate: Candidate | None = None
    removals: list[str] = field(default_factory=list)


def halves(cases: Sequence[Case]) -> tuple[list[Case], list[Case], list[Case]]:
    """The cases, which stand in a balanced order: failures of the first half, its successes, and the other half."""
    half, rest = list(cases[: (len(cases) + 1) // 2]), list(cases[(len(cases) + 1) // 2 :])
    return [case for case in half if not case.succeeded], [case for case in half if case.succeeded], rest


def _looks(cases: Sequence[Case]) -> list[Sequence[Case]]:
    return [cases[i : i + LOOK_EVERY] for i in range(0, len(cases), LOOK_EVERY)]


class Tournament:
    """One race. `key`: the metadata key of the strata, None when delivery cannot carry conditions. `patterns`: what the
    candidates answer."""

    def __init__(
        self, runner: Runner, stable: VersionContent, key: str | None, patterns: Sequence[Pattern] = ()
    ) -> None:
        self._runner, self._stable, self._key = runner, stable, key
        self._asks = {one.id: tool_of(one.decision.better) for one in patterns if one.decision.better}
        self._rows: list[ReplayRow] = []
        self._ran: list[Case] = []

    async def select(self, candidates: Sequence[Candidate], cases: Sequence[Case]) -> Selection:
        """Race the candidates on the cases, which are as many as may be paid for."""
        known = {one.id: one for one in candidates}
        alive = await self._raced(known, cases)
        # When all are out, the race over all of them says how far they were behind.
        sizes = {one: self._added(known[one]) for one in alive or known}
        result = race(self._rows, sizes, shrinking=[one for one in sizes if not known[one].edits])
        arms = [BASELINE, NULL_CONTROL, *known]
        if result.winner is None:
            return Selection(self._rows, arms, result.why)
        winner, why = await self._split(known[result.winner], known, cases, result.why)
        winner, removals, told = await self._ablate(winner)
        return Selection(self._rows, arms, "; ".join([why, *told]), winner, removals)

    async def _raced(self, known: dict[str, Candidate], cases: Sequence[Case]) -> list[str]:
        """The candidates that are left; `known` gains what was merged."""
        alive = list(known)
        failed, solved, rest = halves(cases)
        for look in _looks(failed):
            alive = survivors(await self._run(look, [known[one] for one in alive]), alive)
        both = compose.merged([known[one] for one in alive], list(known.values())) if failed else None
        if both is not None and not self._runner.budget_spent:
            known[both.id] = both
            alive.append(both.id)
            await self._catch_up([known[one] for one in alive])
        if alive and solved:
            alive = survivors(await self._run(solved, [known[one] for one in alive]), alive)
            alive = better_half(self._rows, alive)
        for look in _looks(rest):
            more = len(cases) - len(self._ran)
            alive = still_open(self._rows, alive, more)
            if not alive or (len(alive) == 1 and settled(self._rows, alive[0], more)):
                break
            alive = survivors(await self._run(look, [known[one] for one in alive]), alive)
        return alive

    def _added(self, candidate: Candidate) -> int:
        """Characters that a candidate adds to the prompts; below zero when it takes more away."""
        gone = sum(len(edit.text) for edit in self._stable.edits if edit_hash(edit) in candidate.removes)
        return sum(len(edit.text) for edit in candidate.edits) - gone

    async def _run(self, batch: Sequence[Case], candidates: Sequence[Candidate]) -> list[ReplayRow]:
        """All rows so far, with those of this batch; none are added for lack of candidates or of budget."""
        if candidates and not self._runner.budget_spent:
            self._keep(batch, await self._runner.run(batch, self._arms(candidates)))
            log.info("raced", extra={"cases": len(self._rows), "alive": [one.id for one in candidates]})
        return self._rows

    def _keep(self, batch: Sequence[Case], rows: Sequence[ReplayRow]) -> None:
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
        return [*standing, *map(self._arm, candidates)]

    def _arm(self, candidate: Candidate) -> Arm:
        return Arm(candidate.id, extended(self._stable, candidate.edits, candidate.removes))

    # ------------------------------------------------------------ strata

    async def _split(
        self, winner: Candidate, known: Mapping[str, Candidate], cases: Sequence[Case], why: str
    ) -> tuple[Candidate, str]:
        if self._key is None:
            return winner, why
        await self._settle(winner, cases)
        chosen = compose.choices(self._rows, winner.id, [one for one in known if one != winner.id])
        arms = dict(known)
        for name in [name for name, arm in chosen.items() if arm == BASELINE]:
            if (mended := await self._mended(winner, name, cases)) is not None:
                arms[mended.id], chosen[name] = mended, mended.id
        if not chosen:
            return winner, why
        # An intent is a metadata value as text; the condition must be the text by which the renderer compares it.
        strata = {
            case.intent: metadata_text(case.metadata[self._key])
            for case in self._ran
            if case.intent is not None and self._key in case.metadata
        }
        found = compose.split(
            winner, arms, {name: arm for name, arm in chosen.items() if name in strata}, self._key, strata
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

    async def _settle(self, winner: Candidate, cases: Sequence[Case]) -> None:
        """Run the rest of the cases of strata in which it is open whether the winner does good."""
        known = {case.case_id for case in self._ran}
        rest = [case for case in cases if case.case_id not in known]
        wanted = compose.unsettled(self._rows, winner.id, [case.intent for case in rest])
        batch = [case for case in rest if case.intent in wanted]
        if batch and not self._runner.budget_spent:
            self._keep(batch, await self._runner.run(batch, self._arms([winner])))

    async def _mended(self, winner: Candidate, stratum: str, cases: Sequence[Case]) -> Candidate | None:
        """The winner without what harms this stratum; None where that does no better than no edit.

        What harms is found on the stratum's cases so far, and what is left is held against no edit on all of them.
        """
        causes = ablation.causes(winner.edits, self._asks)
        whole = {one.id: one for n, own in enumerate(causes) if (one := ablation.without(winner, own, n))}
        own = [case for case in cases if case.intent == stratum]
        known = {case.case_id for case in self._ran}
        if not whole or self._runner.budget_spent:
            return None
        ran = [case for case in own if case.case_id in known]
        found = await self._beside(ran, [winner, *whole.values()])
        best = whole[compose.foremost(found, list(whole), winner.id)]
        rest = [case for case in own if case.case_id not in known]
        self._keep(rest, await self._beside(rest, [winner, best]))
        again = {row.case_id: row.outcomes for row in found}
        self._rows = [
            row.model_copy(update={"outcomes": row.outcomes | again.get(row.case_id, {})}) for row in self._rows
        ]
        return best if compose.leads([row for row in self._rows if row.intent == stratum], best.id) else None

    async def _beside(self, cases: Sequence[Case], candidates: Sequence[Candidate]) -> list[ReplayRow]:
        return await self._runner.run(cases, [Arm(BASELINE, self._stable), *map(self._arm, candidates)])

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
