"""docs/replay.md, "Retries, budget, restarts": as many calls at once as the other side takes, each paid once."""

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest

from ninefold.api.spending import Price, Spent
from ninefold.replay import Endpoint, PassingError, RejectedError, ReplayFailure, Request
from ninefold.replay.limiter import Limiter
from ninefold.replay.mode import Bought, Usage
from ninefold.replay.till import Till
from ninefold.spending import Booking, BudgetSpentError, SupersededError, What

from .conftest import Clock, DictCache, Reply, Staging, solved

ARM = What("replay", "baseline")


class Books:
    """A purse that remembers what happened to every booking."""

    def __init__(self, calls: int = 1000, orphan: Spent | None = None) -> None:
        self.left, self.orphan = calls, orphan or Spent()
        self.said: list[tuple[str, Spent]] = []

    async def book(self, call: str, what: What, estimate: Spent) -> Booking:
        if not self.left:
            raise BudgetSpentError("all gone")
        self.left -= 1
        self.said.append(("booked", estimate))
        return Booking(call, what, "", estimate, self.orphan)

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        self.said.append(("once" if once else "settled", actual))

    async def release(self, booking: Booking) -> None:
        self.left += 1
        self.said.append(("released", Spent()))


def a_till(cache: DictCache, books: Books, clock: Clock, most: int = 4, **rest: Any) -> Till:
    limiter = Limiter(most, sleep=clock.sleep, clock=clock, jitter=lambda: 1.0)
    return Till(cache, books, limiter, retries=2, sleep=clock.sleep, clock=clock, jitter=lambda: 1.0, **rest)


async def ask_for(till: Till, key: object, *script: Bought | Exception, guess: Usage | None = None) -> Any:
    steps = iter(script)

    async def ask() -> Bought:
        step = next(steps)
        if isinstance(step, Exception):
            raise step
        return step

    return await till.buy({"key": str(key)}, ARM, guess or Usage(), ask)


def gave(value: Any = "yes", **usage: Any) -> Bought:
    return Bought(value, Usage(**usage))


class Narrow:
    """An endpoint that runs at most `room` cases at once and refuses the rest with 429."""

    def __init__(self, room: int) -> None:
        self.room, self.flying, self.most = room, 0, 0
        self.ran: Counter[str] = Counter()
        self.refused = 0
        self._lock = threading.Lock()
        self.pause = threading.Event()

    def __call__(self, request: dict[str, Any]) -> Reply:
        with self._lock:
            if self.flying >= self.room:
                self.refused += 1
                return Reply({"error": "slow down"}, status=429, headers={"Retry-After": "0"})
            self.flying += 1
            self.most = max(self.most, self.flying)
        self.pause.wait(0.01)
        with self._lock:
            self.flying -= 1
            self.ran[request["case_id"]] += 1
        return solved(request)


async def test_calls_in_flight_settle_at_what_the_endpoint_takes_and_all_cases_are_answered(
    staging: Staging, cache: DictCache
) -> None:
    staging.answer = narrow = Narrow(room=3)
    books = Books()
    limiter = Limiter(32)
    till = Till(cache, books, limiter, retries=0, jitter=lambda: 0.02)
    async with Endpoint(staging.url, None, 10, model="m", connections=32) as endpoint:

        async def one(n: int) -> Any:
            request = Request(f"case-{n}", "A room", {}, {"system": "You book rooms."}, 0)

            async def ask() -> Bought:
                answer = await endpoint.replay(request)
                return Bought(answer.wire(), answer.usage)

            return await till.buy(request.wire(), ARM, Usage(), ask)

        answers = await asyncio.gather(*(one(n) for n in range(200)))
    assert len(answers) == 200
    # Nobody ran twice, no refusal was counted as a call, and the budget agrees with the endpoint.
    assert set(narrow.ran.values()) == {1} and len(narrow.ran) == 200
    said = Counter(word for word, _ in books.said)
    assert (said["settled"], till.counts["paid"], said["released"]) == (200, 200, narrow.refused)
    assert limiter.limit < 32


async def test_the_limit_is_halved_once_for_all_that_were_under_way_and_grows_by_one_a_round() -> None:
    limiter = Limiter(16)
    numbers = []
    for _ in range(8):
        async with limiter.slot() as number:
            numbers.append(number)
    for number in numbers:
        limiter.refused(number)
    assert limiter.limit == 8
    async with limiter.slot() as number:
        limiter.refused(number)
    assert limiter.limit == 4
    for _ in range(5):
        limiter.answered()
    assert limiter.limit == 5
    for _ in range(1000):
        limiter.answered()
    assert limiter.limit == 16


async def test_after_kill_upon_kill_calls_in_flight_are_a_hundredth_of_those_answered_until_keys_are_heard() -> None:
    limiter = Limiter(16, start=1, careful=True)
    grown = []
    for _ in range(300):
        limiter.answered()
        grown.append(limiter.limit)
    assert [grown.index(n) + 1 for n in (1, 2, 3, 4)] == [1, 100, 200, 300]
    limiter.trust()
    assert limiter.limit == 16


async def test_one_call_at_least_may_always_be_made_and_turns_are_not_lost() -> None:
    limiter = Limiter(2)
    order: list[int] = []

    async def one(n: int, hold: asyncio.Event | None = None) -> None:
        async with limiter.slot() as number:
            order.append(n)
            if hold is not None:
                await hold.wait()
            limiter.refused(number)

    hold = asyncio.Event()
    tasks = [asyncio.create_task(one(n, hold if n < 2 else None)) for n in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    hold.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 2, 4, 5] and limiter.limit == 1


async def test_a_wait_that_was_asked_for_holds_back_everybody(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, Books(), clock)
    begun = clock.now
    await ask_for(till, 1, PassingError("HTTP 503", wait=60), gave())
    assert clock.now - begun >= 60
    await ask_for(till, 2, gave())
    assert clock.now - begun < 62


async def test_refusals_for_the_rate_use_up_no_retry_but_not_for_ever(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, books := Books(), clock)
    assert await ask_for(till, 1, *[PassingError("HTTP 429", limited=True)] * 12, gave()) == "yes"
    assert books.left == 999
    begun = clock.now
    with pytest.raises(PassingError):
        await ask_for(till, 2, *[PassingError("HTTP 429", limited=True)] * 500)
    assert 600 < clock.now - begun < 700


async def test_what_may_have_been_run_stays_booked_and_an_answer_from_memory_settles_it(
    cache: DictCache, clock: Clock
) -> None:
    till = a_till(cache, books := Books(), clock)
    remembered = Bought("yes", Usage(prompt=5, completion=1), once=True)
    await ask_for(till, 1, PassingError("no answer within 60 s"), remembered)
    assert [word for word, _ in books.said] == ["booked", "booked", "once"]
    await ask_for(till, 2, PassingError("no connection", ran=False), gave(prompt=5, completion=1))
    assert [word for word, _ in books.said[3:]] == ["booked", "released", "booked", "settled"]


async def test_the_estimate_learns_from_the_largest_call_so_far(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, books := Books(), clock, price=Price(promptUsdPer1k=1.0, completionUsdPer1k=2.0))
    for key, tokens in (("a", 1000), ("b", 400), ("c", 300)):
        await ask_for(till, key, gave(prompt=tokens, completion=500), guess=Usage(prompt=100))
    booked = [amount for word, amount in books.said if word == "booked"]
    assert booked[0] == Spent(calls=1, tokens=100, micro_usd=100_000)
    assert booked[1] == booked[2] == Spent(calls=1, tokens=1500, micro_usd=2_000_000)
    assert books.said[1] == ("settled", Spent(calls=1, tokens=1500, micro_usd=2_000_000))


async def test_a_cost_in_the_answer_goes_before_the_price(cache: DictCache, clock: Clock) -> None:
    price = Price(promptUsdPer1k=1.0, completionUsdPer1k=2.0)
    till = a_till(cache, books := Books(), clock, price=price, in_money=True)
    await ask_for(till, 1, gave(prompt=10, completion=1, micro_usd=77))
    assert books.said[-1] == ("settled", Spent(calls=1, tokens=11, micro_usd=77))


async def test_a_budget_in_money_needs_somebody_who_says_what_a_call_costs(cache: DictCache, clock: Clock) -> None:
    with pytest.raises(ReplayFailure, match=r"write spec\.model\.price of the Agent, or let usage\.cost") as end:
        await ask_for(a_till(cache, Books(), clock, in_money=True), 1, gave(prompt=10, completion=1))
    assert (end.value.reason, end.value.permanent) == ("CostUnknown", True)


async def test_a_rejection_is_one_call_and_nothing_is_remembered(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, books := Books(), clock)
    with pytest.raises(RejectedError):
        await ask_for(till, 1, RejectedError("HTTP 400", 400), guess=Usage(prompt=90))
    assert books.said[-1] == ("settled", Spent(calls=1)) and cache.answers == {}


async def test_a_pod_that_was_replaced_stops_buying(cache: DictCache, clock: Clock) -> None:
    class Taken(Books):
        async def book(self, call: str, what: What, estimate: Spent) -> Booking:
            raise SupersededError

    with pytest.raises(ReplayFailure, match="newer pod") as end:
        await ask_for(a_till(cache, Taken(), clock), 1, gave())
    assert not end.value.permanent


async def test_a_stop_leaves_the_call_under_way_time_to_be_stored(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, books := Books(), clock)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def ask() -> Bought:
        asked.set()
        await answer.wait()
        return gave()

    buying = asyncio.create_task(till.buy({"key": "1"}, ARM, Usage(), ask))
    await asked.wait()
    buying.cancel()
    asyncio.get_running_loop().call_soon(answer.set)
    begun = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await buying
    assert time.monotonic() - begun < 10
    assert len(cache.answers) == 1 and books.said[-1][0] == "settled"


async def test_a_call_that_does_not_come_home_in_time_is_lost_and_counted(cache: DictCache, clock: Clock) -> None:
    till = a_till(cache, Books(), clock, drain=0.0)
    asked = asyncio.Event()

    async def ask() -> Bought:
        asked.set()
        await asyncio.Event().wait()
        return gave()

    buying = asyncio.create_task(till.buy({"key": "1"}, ARM, Usage(), ask))
    await asked.wait()
    buying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await buying
    assert till.counts["lost"] == 1 and not cache.answers
