"""Buys calls: each once, within the budget, as many at once as the other side takes, and with patience.

- **Once.** What was answered before is taken from the cache, and an answer is stored as soon as it is there; a
  restarted pod therefore asks only for what is missing. When the pod is told to stop, calls under way come home and
  are stored, for as long as `drain`; no others begin. The calls that a SIGKILL interrupts are the only ones that are
  asked again, and where the other side runs a repeated key once, and says so, they are still paid once. Failures are
  never stored. The answer is stored before its booking is settled: a pod that dies in between has counted too much.
- **Within the budget.** Every try is booked before it is made (`ninefold.spending`).
- **As many at once as it takes.** See `ninefold.replay.limiter`. A call that was refused for its rate was not run: it
  takes no budget and uses up no retry, but is given up when it was refused for `LONGEST_WAIT_SECONDS`.
- **With patience.** Another passing error is tried again after an exponential backoff with full jitter.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from ninefold.api.artifacts import canonical, sha256
from ninefold.api.spending import Price, Spent
from ninefold.replay.limiter import Limiter
from ninefold.replay.mode import Ask, PassingError, RejectedError, Usage
from ninefold.replay.watch import ReplayFailure
from ninefold.spending import Purse, SupersededError, What

BACKOFF_SECONDS, BACKOFF_CAP_SECONDS = 0.5, 30.0
LONGEST_WAIT_SECONDS = 600.0
"""A longer Retry-After is answered by giving up on the call: a pod that waits for an hour only blocks its node."""


class Cache(Protocol):
    """Answers by request, as `ninefold.store.CallCache` keeps them."""

    async def get(self, request: Any) -> Any | None: ...
    async def put(self, request: Any, answer: Any) -> None: ...


class Till:
    """Where calls are paid. `price`: of tokens, where the other side tells no cost. `in_money`: money is limited.

    `drain`: seconds that calls under way have to come home when the replay is cancelled. `counts` has `paid` (calls
    made), `cached` and `refused` (for their rate); `lost` are those that were under way and did not come home.
    """

    def __init__(
        self,
        cache: Cache,
        purse: Purse,
        limiter: Limiter,
        *,
        retries: int,
        drain: float = 20.0,
        price: Price | None = None,
        in_money: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._cache, self._purse, self._limiter = cache, purse, limiter
        self._retries, self._drain, self._price, self._in_money = retries, drain, price, in_money
        self._sleep, self._clock, self._jitter = sleep, clock, jitter
        self._largest = Spent()
        self.counts: Counter[str] = Counter()

    async def remembered(self, key: Any) -> Any | None:
        """What was answered to this request before, or None."""
        if (found := await self._cache.get(key)) is not None:
            self.counts["cached"] += 1
        return found

    async def remember(self, key: Any, value: Any) -> None:
        """Store what was made of several calls, so that it need not be made again."""
        await self._cache.put(key, value)

    async def buy(self, key: Any, what: What, guess: Usage, ask: Ask) -> Any:
        """The answer to the request that `key` (a JSON value) names: from memory, or by `ask`, as often as it takes.

        `guess`: what a call may take, as long as no larger one has been seen. Raises what `ask` raises at last,
        BudgetSpentError, or ReplayFailure when this pod must stop.
        """
        if (found := await self.remembered(key)) is not None:
            return found
        begun, asked, tried = self._clock(), 0, 0
        while True:
            async with self._limiter.slot() as number:
                try:
                    value = await self._to_the_end(self._try(key, what, guess, ask))
                    self._limiter.answered()
                    return value
                except PassingError as error:
                    last = error
                    if error.limited:
                        self.counts["refused"] += 1
                        self._limiter.refused(number)
            waited = self._clock() - begun
            tried += not last.limited
            if tried > self._retries or max(last.wait, waited if last.limited else 0) > LONGEST_WAIT_SECONDS:
                raise last
            if last.wait:
                self._limiter.hold_back(last.wait)
            await self._sleep(self._jitter() * min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2 ** min(asked, 10)))
            asked += 1

    async def _try(self, key: Any, what: What, guess: Usage, ask: Ask) -> Any:
        try:
            booking = await self._purse.book(sha256(canonical(key)), what, self._estimate(guess))
        except SupersededError:
            told = "a newer pod of this stage has taken the work over"
            raise ReplayFailure("Interrupted", told, permanent=False) from None
        self.counts["paid"] += 1
        try:
            given = await ask()
        except PassingError as error:
            # What may have been run stays booked, until a later try may show that it was the same run.
            if not error.ran:
                self.counts["paid"] -= 1
                await self._purse.release(booking)
            raise
        except RejectedError as error:
            await self._purse.settle(booking, Spent(calls=1) if error.status else booking.estimate)
            raise
        if given.keep:
            await self._cache.put(key, given.value)
        if given.once:
            self._limiter.trust()
        await self._purse.settle(booking, self._actual(given.usage, booking.estimate), once=given.once)
        return given.value

    def _estimate(self, guess: Usage) -> Spent:
        """The largest call so far, or the guess where that is larger."""
        cost = guess.micro_usd or (
            self._price.micro_usd(guess.prompt or 0, guess.completion or 0) if self._price else 0
        )
        return Spent(calls=1, tokens=guess.tokens or 0, micro_usd=cost).at_least(self._largest)

    def cost(self, usage: Usage) -> int | None:
        """Millionths of a US dollar: as reported, else by the price of the tokens; None when neither is known."""
        if usage.micro_usd is None and usage.tokens is not None and self._price is not None:
            return self._price.micro_usd(usage.prompt or 0, usage.completion or 0)
        return usage.micro_usd

    def _actual(self, usage: Usage, estimate: Spent) -> Spent:
        tokens, cost = usage.tokens, self.cost(usage)
        if cost is None and self._in_money:
            told = (
                "money is limited by the policy's budget, and nothing says what a call costs: write spec.model.price "
                "of the Agent, or let usage.cost (US dollars) stand in the answers"
            )
            raise ReplayFailure("CostUnknown", told, permanent=True)
        spent = Spent(
            calls=1,
            tokens=estimate.tokens if tokens is None else tokens,
            micro_usd=estimate.micro_usd if cost is None else cost,
        )
        self._largest = self._largest.at_least(spent)
        return spent

    async def _to_the_end(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await a paid call so that cancelling the replay leaves it time to be stored."""
        task = asyncio.ensure_future(call)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=self._drain)
            self.counts["lost"] += not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
