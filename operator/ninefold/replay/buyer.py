"""Buys outcomes: each answer once, within the budget, with patience, and no longer than it makes sense.

- **Once.** What was answered before in this run is taken from the cache, and an answer is stored as soon as it is
  there; a restarted pod therefore asks only for what is missing. When the pod is told to stop, calls under way get
  `DRAIN_SECONDS` to come home and be stored. The calls that a SIGKILL interrupts, at most one per case in flight, are
  the only ones that may be paid twice, and even those not if the endpoint honours `Idempotency-Key`. Failures are never
  stored. The cache is keyed by run, too: an answer of last month's baseline beside today's candidate would be no pair.
- **Within the budget.** Every try is reserved before it is made, retries included.
- **With patience.** A passing error is tried again after an exponential backoff with full jitter; a wait that the
  endpoint asks for (Retry-After) holds back every call, not just the one that was told.
- **No longer.** `Watch` ends the replay when the set-up is wrong or the endpoint is down.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from ninefold.api.agent import Success
from ninefold.api.artifacts import Outcome
from ninefold.graders import Given, Grade, Graders, question_of
from ninefold.replay.mode import Answer, PassingError, RejectedError, Replayer, Request
from ninefold.replay.watch import Watch

DRAIN_SECONDS = 20.0
"""Of the 30 s that Kubernetes leaves a pod between SIGTERM and SIGKILL."""
BACKOFF_SECONDS, BACKOFF_CAP_SECONDS = 0.5, 30.0
LONGEST_WAIT_SECONDS = 600.0
"""A longer Retry-After is answered by giving up on the case: a pod that waits for an hour only blocks its node."""


class BudgetSpentError(Exception):
    """Another call would pass the budget."""


class Cache(Protocol):
    """Answers by request, as `ninefold.store.CallCache` keeps them."""

    async def get(self, request: Any) -> Any | None: ...
    async def put(self, request: Any, answer: Any) -> None: ...


Grading = Callable[[Request, Answer], Awaitable[Grade]]


def given_of(request: Request, answer: Answer) -> Given:
    """A replayed case as graders see it."""
    return Given(
        question=question_of(request.input),
        output=answer.said(),
        shown=(*request.components.values(), *answer.shown),
        metadata=request.metadata,
        scores=answer.scores,
    )


class Buyer:
    """Asks a Replayer, with cache, budget and retries, and has the answer graded.

    `success` says how; `grade` is asked instead where more than its score and rules must be heard. `reserve` books one
    call and says whether it fits. `scope` (the run's UID) and the mode's identity are part of every cache key.
    `retries` are tries after the first. `counts` has `paid` (tries made), `cached` and `unknown`.
    """

    def __init__(
        self,
        replayer: Replayer,
        success: Success,
        cache: Cache,
        reserve: Callable[[], Awaitable[bool]],
        *,
        scope: str,
        retries: int,
        grade: Grading | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._replayer = replayer
        self._success = success
        self._graders = Graders(success)
        self._grade = grade or self.by_rule
        self._cache = cache
        self._reserve = reserve
        self._scope = scope
        self._retries = retries
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._not_before = 0.0
        self._watch = Watch(replayer.name)
        self.counts: Counter[str] = Counter()

    async def outcome(self, request: Request, grade: Grading | None = None) -> Outcome:
        """The outcome of a request; unknown, with the reason, when there is none. `grade`: graded by this instead.

        Raises BudgetSpentError when the call would pass the budget, and ReplayFailure when none makes sense any more.
        """
        try:
            answer = await self._answer(request, grade or self._grade)
        except RejectedError as error:
            if error.status:
                self._watch.rejected(request.case_id, error.status)
            else:
                self._watch.unreadable(request.case_id, error.reason)
            return self._unknown(error.reason)
        except PassingError as error:
            self._watch.silent(request.case_id, error.reason)
            return self._unknown(error.reason)
        # An answer that an earlier release has stored was not graded yet, and has nothing but its scores.
        found = answer.grade or self._graders.grade(given_of(request, answer))
        if found.success is None:
            if found.by == "judge":
                self._watch.unjudged(request.case_id)
            else:
                self._watch.ungraded(request.case_id, found.missing or "", self._success)
            return self._unknown(found.missing or "no outcome")
        self._watch.answered()
        return Outcome(
            success=found.success,
            score=found.score,
            steps=answer.steps,
            error_steps=answer.error_steps,
            tokens=answer.tokens,
            sketch=answer.sketch,
            graded_by=found.by,
            verdict=found.verdict,
        )

    async def by_rule(self, request: Request, answer: Answer) -> Grade:
        """What score and rules say."""
        return self._graders.grade(given_of(request, answer))

    async def _answer(self, request: Request, grade: Grading) -> Answer:
        key = {"scope": self._scope, "replayer": self._replayer.identity, "request": request.wire()}
        if (found := await self._cache.get(key)) is not None:
            self.counts["cached"] += 1
            return Answer.model_validate(found)
        for tried in range(self._retries + 1):
            await self._hold_back()
            try:
                return await _to_the_end(self._buy(request, key, grade))
            except PassingError as error:
                if tried == self._retries or error.wait > LONGEST_WAIT_SECONDS:
                    raise
                if error.wait:
                    self._not_before = max(self._not_before, self._clock() + error.wait)
                await self._sleep(self._jitter() * min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**tried))
        raise AssertionError("the last try returns or raises")

    async def _hold_back(self) -> None:
        while (wait := self._not_before - self._clock()) > 0:
            await self._sleep(wait + self._jitter() * BACKOFF_SECONDS)

    async def _buy(self, request: Request, key: Any, grade: Grading) -> Answer:
        if not await self._reserve():
            raise BudgetSpentError
        self.counts["paid"] += 1
        answer = await self._replayer.replay(request)
        found = await grade(request, answer)
        answer = answer.model_copy(update={"grade": found})
        # Without its text it could never be judged again: what a judge failed to say is a failure, and not kept.
        if found.success is not None or found.by != "judge":
            await self._cache.put(key, answer.wire())
        return answer

    def _unknown(self, reason: str) -> Outcome:
        self.counts["unknown"] += 1
        return Outcome(success=None, error=reason)


async def _to_the_end(call: Coroutine[Any, Any, Answer]) -> Answer:
    """Await a paid call so that cancelling the replay leaves it time to be stored."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=DRAIN_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
