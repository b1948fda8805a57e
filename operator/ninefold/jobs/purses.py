"""The purse of a stage (the policy's limits, and what the ledger knows to be spent already), and its till."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ninefold.api.policy import Budget
from ninefold.api.replaying import AgentReplay
from ninefold.api.spending import MICROS, Price, Spending
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext
from ninefold.replay import Limiter, Till
from ninefold.store import Limit, Purse, StoreError


async def open_purse(ctx: JobContext, stage: str, share: float = 1.0) -> Purse:
    """The stage's purse, taken over from any older pod. `share`: of the run's limits, how much this stage may reach."""
    return await ctx.store.purse(
        ctx.run.agent_uid,
        ctx.run.run_uid,
        stage,
        limits(ctx.run.policy.budget, share),
        floor=ctx.booked.stages,
        floor_day=ctx.booked.days,
    )


@asynccontextmanager
async def open_till(ctx: JobContext, purse: Purse) -> AsyncIterator[Till]:
    """Where the stage's calls are paid. When it ends with none of them in flight, the purse is told."""
    policy, replay = ctx.run.policy.replay, ctx.run.agent.replay or AgentReplay()
    limiter = Limiter(policy.concurrency, start=1 if purse.killed else None, careful=purse.killed > 1)
    till = Till(
        ctx.calls,
        purse,
        limiter,
        retries=policy.retries,
        drain=replay.drain.total_seconds(),
        price=ctx.run.agent.model.price,
        in_money=in_money(ctx.run.policy.budget),
    )
    try:
        yield till
    finally:
        if not till.counts["lost"]:
            with suppress(StoreError):
                await purse.ended()


def limits(budget: Budget, share: float = 1.0) -> tuple[Limit, ...]:
    """The limits that a policy sets, as the store checks them."""

    def part(most: float) -> int:
        return max(1, int(most * share))

    found = [Limit("budget.replayCalls", "calls", part(budget.replay_calls), "replay")]
    if budget.replay_tokens is not None:
        found.append(Limit("budget.replayTokens", "tokens", part(budget.replay_tokens), "replay"))
    if budget.cost_usd is not None:
        found.append(Limit("budget.costUsd", "microUsd", part(budget.cost_usd * MICROS)))
    day = budget.per_day
    if day.calls is not None:
        found.append(Limit("budget.perDay.calls", "calls", day.calls, per_day=True))
    if day.tokens is not None:
        found.append(Limit("budget.perDay.tokens", "tokens", day.tokens, per_day=True))
    if day.cost_usd is not None:
        found.append(Limit("budget.perDay.costUsd", "microUsd", int(day.cost_usd * MICROS), per_day=True))
    return tuple(found)


def in_money(budget: Budget) -> bool:
    """Whether money is limited, so that every call must have a cost."""
    return budget.cost_usd is not None or budget.per_day.cost_usd is not None


def priced(ctx: JobContext, price: Price | None, where: str) -> Price | None:
    """The price of a model that a policy or an Agent names at `where`. JobFailure when money is limited without one."""
    if price is None and in_money(ctx.run.policy.budget):
        told = f"money is limited by the policy's budget, and nothing says what the model costs: write {where}.price"
        raise JobFailure("CostUnknown", told, permanent=True)
    return price


async def spending(purse: Purse) -> Spending:
    """What the stage has spent so far, over all its pods."""
    return Spending(lines=await purse.spent(), days=await purse.spent_by_day())
