"""What a run may spend: reserved before it is spent, atomically, over all pods that work for the run.

Reserving comes first because a pod may die between the call and the booking: so the count is an upper bound of what
was spent, never a lower one. A reservation is one script in Redis, for two commands would let two pods both take the
last call. A reservation whose answer got lost on the network may be booked twice: that, too, errs on the safe side.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from redis.asyncio import Redis

BUDGET_TTL = timedelta(days=30)
"""Longer than any run lasts, and renewed by each reservation."""

_RESERVE = """
local spent = tonumber(redis.call('GET', KEYS[1]) or '0')
if spent + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class Budget:
    """One count of one run. Errors: `StoreUnavailableError`."""

    def __init__(
        self,
        redis: Redis,
        errors: Callable[[], AbstractContextManager[None]],
        agent_uid: str,
        run_uid: str,
        name: str,
    ) -> None:
        self._redis = redis
        self._errors = errors
        self._key = f"ninefold:{agent_uid}:budget:{run_uid}:{name}"
        self._reserve = redis.register_script(_RESERVE)

    async def reserve(self, amount: int, limit: int) -> bool:
        """Book `amount` (> 0), unless the sum would pass `limit`; then book nothing and return False."""
        with self._errors():
            booked = await self._reserve(keys=[self._key], args=[amount, limit, int(BUDGET_TTL.total_seconds())])
        return bool(booked)

    async def spent(self) -> int:
        """What has been reserved so far."""
        with self._errors():
            return int(await self._redis.get(self._key) or 0)
