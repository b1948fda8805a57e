"""The search of the propose stage: when it runs, on which cases, and who pays.

It runs when targeted edits have plateaued: no proposer has anything to add to the stable version. It is a race of its
own, so it is the one proposer that is given cases, and they are those of the race (the selection bucket, halved by
cluster into train and validation); the sealed ones stay closed, and the gate judges on those alone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ninefold.api.base import parse_duration
from ninefold.api.candidates import ProposalSet
from ninefold.api.cases import Case, CaseSet
from ninefold.api.findings import AnalysisReport
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import Outcome
from ninefold.jobs.purses import open_till
from ninefold.jobs.runtime import JobContext
from ninefold.proposals.search import SearchWithGepa
from ninefold.replay import Arm, Buyer, Endpoint, Runner, in_order
from ninefold.store import Purse

if TYPE_CHECKING:
    from ninefold.llm import Chat

ARM = "search"


def due(ctx: JobContext, found: ProposalSet) -> bool:
    """Whether the policy wants a search, the Agent has an endpoint for it, and nobody else has anything to add."""
    replay = ctx.run.agent.replay
    wanted = ctx.run.policy.proposals.search is not None and replay is not None and replay.endpoint is not None
    return wanted and not any(candidate.edits for candidate in found.candidates)


@asynccontextmanager
async def open_search(
    ctx: JobContext, report: AnalysisReport, chat: "Chat", purse: Purse
) -> AsyncIterator[SearchWithGepa]:
    """The search as a proposer, while its endpoint is open. Outcomes are told by scores and rules, not by judges."""
    search, replay, policy = ctx.run.policy.proposals.search, ctx.run.agent.replay, ctx.run.policy.replay
    assert search is not None and replay is not None and replay.endpoint is not None, "see `due`"
    endpoint = Endpoint(
        replay.endpoint.url,
        ctx.replay_api_key,
        parse_duration(replay.endpoint.timeout).total_seconds(),
        model=ctx.run.agent.model.name,
        connections=policy.concurrency,
    )
    cases: list[Case] = []
    for ref in report.cases:
        if ref.bucket == "selection":
            cases += (await ctx.artifact(ref, CaseSet)).cases
    async with open_till(ctx, purse) as till, endpoint:
        buyer = Buyer(endpoint, ctx.run.agent.success, till, scope=ctx.run.run_uid)
        runner = Runner(
            buyer,
            by_metadata=ctx.run.agent.delivery.mode == "Client",
            seed=policy.seed,
            concurrency=policy.concurrency,
            progress=lambda cases: None,
        )

        async def play(batch: Sequence[Case], content: VersionContent) -> list[Outcome]:
            rows = {row.case_id: row for row in await runner.run(batch, [Arm(ARM, content)])}
            return [rows[c.case_id].outcomes[ARM] if c.case_id in rows else Outcome() for c in batch]

        chosen = in_order(cases)[: policy.max_cases]
        yield SearchWithGepa(chat, play, chosen, search.max_calls, policy.seed)
