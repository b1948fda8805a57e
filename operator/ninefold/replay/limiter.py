"""How many calls may be in flight: as many as the other side takes, found out by asking (AIMD).

A provider's limit is not known beforehand and moves with everybody else's traffic. So the limit rises by one for every
full round of answers and is halved when a call is refused for its rate (additive increase, multiplicative decrease:
Chiu & Jain 1989), which is stable and fair among all who do the same. Calls that were under way when the limit was
halved say nothing about the new one: of them, only the first refusal counts. A wait that the other side asks for
(Retry-After) holds back every call, whichever arm it is for. The policy's `concurrency` is the ceiling.

A pod that is killed loses what it has in flight. So one that comes after such a pod starts with one call at once, and
when pods are killed again and again (`careful`) no more calls are in flight than one and `CAUTION` of those answered:
what the next kill can cost stays a share of what was got for it.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

CAUTION = 0.01
SPREAD_SECONDS = 0.5
"""After a wait that was asked for, calls start again within this time rather than all at once."""


class Limiter:
    """At most `most` calls at once, fewer when the other side refuses. `start`: calls at once in the beginning.

    `careful`: see above.
    """

    def __init__(
        self,
        most: int,
        start: int | None = None,
        *,
        careful: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._most = most
        self._limit = float(min(most, start or most))
        self._careful, self._answers = careful, 0
        self._sleep, self._clock, self._jitter = sleep, clock, jitter
        self._flying = 0
        self._started = 0
        self._lowered_at = 0
        self._not_before = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return min(int(self._limit), 1 + int(CAUTION * self._answers)) if self._careful else int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """A place among the calls in flight, once there is one; yields the call's number, for `refused`."""
        await self._acquire()
        self._started += 1
        try:
            yield self._started
        finally:
            self._flying -= 1
            self._wake()

    def answered(self) -> None:
        """A call was answered: a full round of answers raises the limit by one."""
        self._answers += 1
        self._limit = min(float(self._most), self._limit + 1 / self._limit)
        self._wake()

    def refused(self, number: int) -> None:
        """The call of this number was refused for its rate."""
        if number > self._lowered_at:
            self._limit = max(1.0, self._limit / 2)
            self._lowered_at = self._started

    def trust(self) -> None:
        """The other side runs a repeated call once: nothing in flight can be lost."""
        self._careful = False

    def hold_back(self, seconds: float) -> None:
        """No call for so long: the other side has asked for it."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    async def _acquire(self) -> None:
        while True:
            while (wait := self._not_before - self._clock()) > 0:
                await self._sleep(wait + self._jitter() * SPREAD_SECONDS)
            if self._flying < self.limit:
                self._flying += 1
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                # A turn that was given and not taken is the next one's.
                self._wake()
                raise

    def _wake(self) -> None:
        free = self.limit - self._flying
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
