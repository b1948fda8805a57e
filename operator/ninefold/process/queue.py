"""The queue between watches and reconciles: what is to be looked at, when, and never twice at once.

Watches tell far more often than there is something to do, and one at a time: a Job that ends writes its status three
times, a start tells of every object there is. So a watch only names a *key*, and the queue remembers that this key
wants a look, not how often or why; whoever looks reads the state of the world then. That makes three promises:

- **A key waits once.** Adding it again changes nothing. Ten events are one reconcile.
- **A key runs once.** While a worker is at it, adding it marks it for another look afterwards, because what the
  worker has read may be older than the event. Two workers never write for one object.
- **A key that fails comes back,** later each time (doubling from `BACKOFF_FIRST` to `BACKOFF_LAST`, times a random
  factor, so that what failed together does not return together). Success forgets the failures. An event does not wait
  for the backoff: it may be the very thing that mends the failure.

"Look again at" (a schedule, a probe that is due) is the same list with a time. Each key has one such time: a reconcile
that ends replaces it by what its plan says, for a newer plan knows better; a resync only moves it nearer.

`Schedule` is this bookkeeping without clock, tasks or randomness of its own. `Queue` adds workers.
"""

import asyncio
import heapq
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from ninefold.controllers.ports import Key

BACKOFF_FIRST = 0.5
"""Seconds. A conflict with our own last write is over within this time."""
BACKOFF_LAST = 300.0
"""Seconds. Half of the resync, which would come anyway."""
STOP_SECONDS = 15.0
"""How long a stop waits for the writes under way: half of a pod's usual grace period."""


class Schedule:
    """Which keys are ready, due later, or running. Times are seconds on any clock that only moves forward."""

    def __init__(self, rand: random.Random | None = None) -> None:
        self._rand = rand or random.Random()  # noqa: S311 - jitter, not a secret
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._again: set[Key] = set()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._failures: Counter[Key] = Counter()
        self.running: dict[Key, float] = {}

    def add(self, key: Key) -> None:
        """This key wants a look as soon as a worker is free."""
        if key in self.running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)

    def add_at(self, key: Key, at: float) -> None:
        """This key wants a look at that time, or earlier if that is planned already."""
        if at < self._due.get(key, float("inf")):
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))

    def take(self, now: float) -> Key | None:
        """The next key to run, which is running from then on; None when nothing is ready yet."""
        while (due := self.next_due()) is not None and due <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            self.add(key)
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._waiting.discard(key)
        self.running[key] = now
        return key

    def succeeded(self, key: Key, again_at: float | None) -> None:
        """The reconcile is over; look again at that time, or only when something happens."""
        del self._failures[key]
        self._due.pop(key, None)
        self._finish(key, again_at)

    def failed(self, key: Key, now: float) -> float:
        """The reconcile failed. Returns the seconds until the next try."""
        doublings = min(self._failures[key], 20)
        self._failures[key] += 1
        delay = min(BACKOFF_FIRST * 2.0**doublings, BACKOFF_LAST) * self._rand.uniform(0.5, 1.0)
        self._finish(key, now + delay)
        return delay

    def next_due(self) -> float | None:
        """When the next key becomes ready by itself."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # a time that was moved or dropped
        return self._heap[0][0] if self._heap else None

    def depth(self) -> Counter[str]:
        """Keys that could run now, by kind."""
        return Counter(key.kind for key in self._ready)

    def _finish(self, key: Key, again_at: float | None) -> None:
        del self.running[key]
        if again_at is not None:
            self.add_at(key, again_at)
        if key in self._again:
            self._again.discard(key)
            self.add(key)


Reconcile = Callable[[Key], Awaitable[datetime | None]]
"""Looks at one key; returns when to look again. What it raises is a failure; it has told about it itself."""


class Queue:
    """Workers over a `Schedule`."""

    def __init__(self, reconcile: Reconcile, workers: int, rand: random.Random | None = None) -> None:
        self._reconcile = reconcile
        self._count = workers
        self._rand = rand or random.Random()  # noqa: S311
        self._schedule = Schedule(self._rand)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.stopping = False

    def add(self, *keys: Key) -> None:
        for key in keys:
            self._schedule.add(key)
        self._wake.set()

    def resync(self, keys: Iterable[Key], spread: float) -> None:
        """Look at all of these once within `spread` seconds, each at a random time."""
        now = _clock()
        for key in keys:
            self._schedule.add_at(key, now + self._rand.uniform(0, spread))
        self._wake.set()

    def start(self) -> None:
        """Start the workers. A worker never ends by itself."""
        self._tasks = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._count)]

    async def stop(self, patience: float = STOP_SECONDS) -> None:
        """Take no further key, let the workers finish what they are at, and cancel who takes longer than that."""
        self.stopping = True
        self._wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def depth(self, kind: str) -> int:
        """Keys of a kind that wait for a worker."""
        return self._schedule.depth()[kind]

    def oldest(self) -> tuple[Key, float] | None:
        """The reconcile that has been running for longest, and for how many seconds."""
        running = self._schedule.running
        if not running:
            return None
        key = min(running, key=running.__getitem__)
        return key, _clock() - running[key]

    async def _work(self) -> None:
        while not self.stopping:
            key = self._schedule.take(_clock())
            if key is None:
                await self._wait()
                continue
            try:
                again_at = await self._reconcile(key)
            except Exception:
                self._schedule.failed(key, _clock())
            else:
                self._schedule.succeeded(key, None if again_at is None else _clock() + _seconds_until(again_at))
            self._wake.set()  # there may be a nearer time, or the key again
            # A reconcile that finds nothing to do waits for nobody: thousands of them must not hold up the lease.
            await asyncio.sleep(0)

    async def _wait(self) -> None:
        """Until something is added or due. All workers wake up and one of them gets the key: they are few."""
        self._wake.clear()
        due = self._schedule.next_due()
        timeout = None if due is None else max(0.0, due - _clock())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _seconds_until(moment: datetime) -> float:
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
