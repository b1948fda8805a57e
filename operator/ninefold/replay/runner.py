"""Runs cases under arms: all arms of one case one after the other, several cases at once.

Arms are interleaved case by case, so a slow hour or a bad deployment of the endpoint hits all arms alike; and they take
turns in going first (by the case's hash), so none is always the one that meets a cold cache. Arms that render a case to
the same prompts are one request, asked once: their difference on that case is zero, and it costs nothing to know.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ninefold.api.artifacts import canonical
from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import Outcome, ReplayRow
from ninefold.replay.buyer import Buyer, Grading
from ninefold.replay.cases import unit_hash
from ninefold.replay.mode import Request
from ninefold.replay.watch import ReplayFailure
from ninefold.spending import BudgetSpentError
from ninefold.versions import estimate_tokens, largest_prompt, rendered


@dataclass(frozen=True)
class Arm:
    """One set of prompts under test: its id in the report, and what it consists of."""

    id: str
    content: VersionContent


@dataclass
class Runner:
    """One replay. `by_metadata` False renders as `delivery.mode: Mount` does: unconditional edits only.

    After `run`, `prompt_tokens` has the largest rendered prompt of every arm (estimated tokens of all components), over
    the cases seen and the conditions that its edits name; `stopped` says which limit of the budget ended it early.
    """

    buyer: Buyer
    by_metadata: bool
    seed: int
    concurrency: int
    progress: Callable[[int], None]
    grade: Grading | None = None
    """Instead of the buyer's own."""
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    stopped: str | None = None

    @property
    def budget_spent(self) -> bool:
        """Cases were left out for lack of budget."""
        return self.stopped is not None

    async def run(self, cases: Sequence[Case], arms: Sequence[Arm]) -> list[ReplayRow]:
        """Rows in the order of the cases. A case whose arms were not all asked, for lack of budget, has no row.

        Raises ReplayFailure.
        """
        for arm in arms:
            self._measure(arm, largest_prompt(arm.content))
        rows: dict[str, ReplayRow] = {}
        waiting = iter(cases)

        async def work() -> None:
            for case in waiting:
                try:
                    rows[case.case_id] = await self._row(case, arms)
                except BudgetSpentError as spent:
                    self.stopped = str(spent)
                    return
                self.progress(len(rows))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(cases))):
                    group.create_task(work())
        except BaseExceptionGroup as group:
            # Several cases may have failed at once; the one failure that is a sentence says it best.
            raise (group.subgroup(ReplayFailure) or group).exceptions[0] from None
        return [rows[case.case_id] for case in cases if case.case_id in rows]

    async def _row(self, case: Case, arms: Sequence[Arm]) -> ReplayRow:
        first = int(unit_hash(case.case_id) * len(arms))
        outcomes: dict[str, Outcome] = {}
        asked: dict[bytes, Outcome] = {}
        for arm in (*arms[first:], *arms[:first]):
            request = self._request(case, arm)
            key = canonical(request.components)
            if key not in asked:
                asked[key] = await self.buyer.outcome(request, self.grade, arm=arm.id)
            outcomes[arm.id] = asked[key]
        return ReplayRow(case_id=case.case_id, cluster=case.cluster, intent=case.intent, outcomes=outcomes)

    def _request(self, case: Case, arm: Arm) -> Request:
        components = rendered(arm.content, case.metadata if self.by_metadata else None)
        self._measure(arm, sum(map(estimate_tokens, components.values())))
        return Request(case.case_id, case.input, case.metadata, components, self.seed)

    def _measure(self, arm: Arm, tokens: int) -> None:
        self.prompt_tokens[arm.id] = max(tokens, self.prompt_tokens.get(arm.id, 0))
