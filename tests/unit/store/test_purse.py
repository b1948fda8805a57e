"""docs/replay.md, "Budgets": booked before, in all units at once, settled after, and never handed back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ninefold.api.spending import Spent
from ninefold.spending import BudgetSpentError, SupersededError, What
from ninefold.store import Limit, Purse, Store
from testbed import RedisServer

BASELINE = What("replay", "baseline")
CALLS = Limit("budget.replayCalls", "calls", 100, "replay")
TOKENS = Limit("budget.replayTokens", "tokens", 1000, "replay")
MONEY = Limit("budget.costUsd", "microUsd", 50_000)
TODAY = Limit("budget.perDay.calls", "calls", 30, per_day=True)


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    async with Store(redis_server.url) as store:
        yield store


async def purse(store: Store, *limits: Limit, stage: str = "replay-sealed", run: str = "run-1", **rest: Any) -> Purse:
    return await store.purse("agent-uid", run, stage, limits, **rest)


async def buy(purse: Purse, n: object, estimate: Spent, actual: Spent | None = None, what: What = BASELINE) -> None:
    booking = await purse.book(f"call-{n}", what, estimate)
    await purse.settle(booking, actual or estimate)


async def test_a_limit_is_never_passed_however_many_book_at_once(store: Store) -> None:
    one = await purse(store, CALLS)
    booked = await asyncio.gather(*(buy(one, n, Spent(calls=1)) for n in range(130)), return_exceptions=True)
    assert sum(result is None for result in booked) == 100
    refused = next(result for result in booked if result is not None)
    said = "100 calls of the 100 of budget.replayCalls are spent in this run, and the next call would take one more"
    assert isinstance(refused, BudgetSpentError) and str(refused) == said
    assert await one.spent() == {"replay/baseline": Spent(calls=100)}


async def test_what_passes_one_limit_is_booked_nowhere(store: Store) -> None:
    one = await purse(store, CALLS, TOKENS, MONEY, TODAY)
    await buy(one, 1, Spent(calls=1, tokens=900, micro_usd=40_000))
    with pytest.raises(BudgetSpentError, match=r"900 tokens of the 1,000 of budget\.replayTokens"):
        await buy(one, 2, Spent(calls=1, tokens=101, micro_usd=1))
    with pytest.raises(BudgetSpentError, match=r"\$0\.0400 of the \$0\.0500 of budget\.costUsd"):
        await buy(one, 3, Spent(calls=1, tokens=1, micro_usd=10_001))
    assert await one.of_run() == Spent(calls=1, tokens=900, micro_usd=40_000)
    assert await one.of_run("replay") == await one.of_run()


async def test_the_estimate_is_booked_and_the_true_usage_stays(store: Store) -> None:
    one = await purse(store, TOKENS)
    await buy(one, 1, Spent(calls=1, tokens=800), Spent(calls=1, tokens=120))
    await buy(one, 2, Spent(calls=1, tokens=800), Spent(calls=1, tokens=130))
    assert await one.spent() == {"replay/baseline": Spent(calls=2, tokens=250)}


async def test_a_call_that_was_refused_before_it_ran_took_nothing(store: Store) -> None:
    one = await purse(store, CALLS)
    await one.release(await one.book("call", BASELINE, Spent(calls=1, tokens=50)))
    assert await one.of_run() == Spent()
    assert (await one.book("call", BASELINE, Spent(calls=1))).orphan == Spent()


async def test_a_limit_of_one_purpose_does_not_count_the_others_and_money_counts_all(store: Store) -> None:
    one = await purse(store, CALLS, MONEY, stage="propose")
    for n in range(120):
        await buy(one, n, Spent(calls=1, micro_usd=400), what=What("reflection"))
    later = await purse(store, CALLS, MONEY)
    await buy(later, "a", Spent(calls=1, micro_usd=2_000))
    with pytest.raises(BudgetSpentError, match=r"budget\.costUsd"):
        await buy(later, "b", Spent(calls=1, micro_usd=1))
    assert await one.spent() == {"reflection": Spent(calls=120, micro_usd=48_000)}
    assert await later.spent() == {"replay/baseline": Spent(calls=1, micro_usd=2_000)}


async def test_the_day_is_shared_by_the_runs_of_an_agent_and_ends_at_midnight(store: Store) -> None:
    one, two = await purse(store, TODAY), await purse(store, TODAY, run="run-2")
    for n in range(15):
        await buy(one, n, Spent(calls=1))
        await buy(two, n, Spent(calls=1))
    with pytest.raises(BudgetSpentError, match=r"30 calls of the 30 of budget\.perDay\.calls are spent today"):
        await buy(two, "more", Spent(calls=1))
    two.now = lambda: datetime(2040, 1, 2, tzinfo=UTC)
    await buy(two, "tomorrow", Spent(calls=1))
    assert list((await two.spent_by_day()).values()) == [Spent(calls=15), Spent(calls=1)]


async def test_a_pod_that_died_with_a_call_in_flight_leaves_it_booked_and_the_next_one_is_told(store: Store) -> None:
    dead = await purse(store, CALLS)
    await dead.book("call", BASELINE, Spent(calls=1, tokens=500))
    booking = await (alive := await purse(store, CALLS)).book("call", BASELINE, Spent(calls=1, tokens=400))
    assert booking.orphan == Spent(calls=1, tokens=500)
    assert await alive.of_run() == Spent(calls=2, tokens=900)
    # The endpoint answers from memory: there was one call.
    await alive.settle(booking, Spent(calls=1, tokens=90), once=True)
    assert await alive.of_run() == Spent(calls=1, tokens=90)


async def test_an_endpoint_that_runs_the_case_again_is_paid_again(store: Store) -> None:
    await (await purse(store, CALLS)).book("call", BASELINE, Spent(calls=1, tokens=500))
    alive = await purse(store, CALLS)
    await alive.settle(await alive.book("call", BASELINE, Spent(calls=1, tokens=400)), Spent(calls=1, tokens=90))
    assert await alive.of_run() == Spent(calls=2, tokens=590)


async def test_a_pod_that_did_not_say_that_it_ended_was_killed(store: Store) -> None:
    first = await purse(store)
    await buy(first, 1, Spent(calls=1))
    await first.ended()
    second = await purse(store)
    assert (first.killed, second.killed) == (0, 0)
    third = await purse(store)
    await second.ended()
    assert third.killed == 1, "and what an older pod says later makes no difference"
    assert (await purse(store)).killed == 2
    assert (await purse(store, stage="replay-selection")).killed == 0
    assert await first.spent() == {"replay/baseline": Spent(calls=1)}


async def test_of_two_pods_of_a_stage_only_the_newer_one_buys(store: Store) -> None:
    old = await purse(store, CALLS)
    under_way = await old.book("call", BASELINE, Spent(calls=1))
    new = await purse(store, CALLS)
    with pytest.raises(SupersededError):
        await old.book("another", BASELINE, Spent(calls=1))
    await old.settle(under_way, Spent(calls=1))
    await buy(new, "another", Spent(calls=1))
    assert await new.of_run() == Spent(calls=2)
    # Another stage, or another run, is another purse.
    await buy(await purse(store, CALLS, run="run-2"), 1, Spent(calls=1))
    await buy(new, 1, Spent(calls=1))


async def test_a_redis_that_lost_everything_does_not_hand_the_budget_back(
    store: Store, redis_server: RedisServer
) -> None:
    one = await purse(store, CALLS, TODAY)
    for n in range(20):
        await buy(one, n, Spent(calls=1, tokens=10))
    under_way = await one.book("under way", BASELINE, Spent(calls=1))
    redis_server.flush()
    await one.settle(under_way, Spent(calls=1, tokens=7))
    for n in range(9):
        await buy(one, f"after-{n}", Spent(calls=1))
    with pytest.raises(BudgetSpentError, match="30 calls of the 30"):
        await buy(one, "too many", Spent(calls=1))
    assert await one.spent() == {"replay/baseline": Spent(calls=30, tokens=207)}


async def test_what_the_ledger_knows_is_the_least_that_was_spent(store: Store) -> None:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    floor = {
        "propose": {"reflection": Spent(calls=3, micro_usd=30_000)},
        "replay-selection": {"replay/a": Spent(calls=60)},
    }
    one = await purse(store, CALLS, MONEY, floor=floor, floor_day={today: Spent(calls=63)})
    assert await one.of_run() == Spent(calls=63, micro_usd=30_000)
    assert await one.of_run("replay") == Spent(calls=60)
    again = await purse(store, CALLS, MONEY, floor=floor, floor_day={today: Spent(calls=63)})
    assert await again.of_run() == Spent(calls=63, micro_usd=30_000)
    with pytest.raises(BudgetSpentError, match="63 calls of the 30 of"):
        await buy(await purse(store, TODAY, run="run-2"), 1, Spent(calls=1))
