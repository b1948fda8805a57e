"""`propose`: the report of `analyze` -> candidates. Proposers are given the report alone and see no held-out case.

But for a search, which the policy must ask for: see `ninefold.jobs.searching`.
"""

import logging
from contextlib import AsyncExitStack

from ninefold.api.candidates import ProposalSet
from ninefold.api.findings import AnalysisReport
from ninefold.jobs.purses import open_purse, priced, spending
from ninefold.jobs.runtime import JobContext
from ninefold.jobs.searching import due, open_search
from ninefold.proposals import Evidence, Proposer, Reflect, deterministic, joined, propose

log = logging.getLogger(__name__)


async def run(ctx: JobContext) -> ProposalSet:
    """Deterministic proposers always; a model's reflection where the policy names an endpoint."""
    inputs, settings = ctx.run, ctx.run.policy.proposals
    evidence = Evidence(
        report=await ctx.upstream_artifact("analyze", AnalysisReport),
        stable=inputs.baseline,
        delivery=inputs.agent.delivery.mode,
        context_window=inputs.agent.model.context_window,
        intent_key=inputs.policy.analysis.intent_key,
        from_git=inputs.agent.edits,
    )
    proposers: list[Proposer] = deterministic()
    purse, chat = None, None
    async with AsyncExitStack() as stack:
        if settings.reflection is not None:
            from ninefold.llm import Chat  # noqa: PLC0415 - heavy, and most runs have no reflecting model

            purse = await open_purse(ctx, "propose")
            chat = Chat(
                settings.reflection.endpoint,
                settings.reflection.model,
                api_key=ctx.reflection_api_key,
                max_tokens=settings.reflection.max_tokens,
                budget=ctx.budget("reflection-tokens"),
                cache=ctx.calls,
                purse=purse,
                price=priced(ctx, settings.reflection.price, "spec.proposals.reflection"),
            )
            proposers.append(Reflect(await stack.enter_async_context(chat)))
        proposals = await propose(evidence, proposers, settings.kinds, settings.max_candidates)
        if chat is not None and purse is not None and due(ctx, proposals):
            search = await stack.enter_async_context(open_search(ctx, evidence.report, chat, purse))
            found = await propose(evidence, [search], settings.kinds, settings.max_candidates)
            proposals = joined(proposals, found, settings.max_candidates)
    if purse is not None:
        proposals = proposals.model_copy(update={"spending": await spending(purse)})
    log.info("proposed", extra={"candidates": len(proposals.candidates), "refused": len(proposals.refused)})
    return proposals
