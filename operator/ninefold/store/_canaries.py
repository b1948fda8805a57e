"""Texts that have fooled a judge of this Agent: canaries of every later session.

Only texts of our own making are kept here, never what an agent or a user has said. Losing them costs nothing but the
memory: the kinds that they were made from are shown in every session anyway.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from redis.asyncio import Redis

EXPLOITS_TTL = timedelta(days=365)
"""Longer than any pause between two runs; renewed by each one that a judge fell for."""
MOST_KEPT = 16


class Exploits:
    """The newest `MOST_KEPT` texts, newest first. Errors: `StoreUnavailableError`."""

    def __init__(self, redis: Redis, errors: Callable[[], AbstractContextManager[None]], agent_uid: str) -> None:
        self._redis = redis
        self._errors = errors
        self._key = f"ninefold:{agent_uid}:exploits"

    async def known(self) -> list[str]:
        with self._errors():
            found = await self._redis.lrange(self._key, 0, MOST_KEPT - 1)
        return [text.decode() if isinstance(text, bytes) else text for text in found]

    async def remember(self, texts: Sequence[str]) -> None:
        """Put these in front; what was there already moves, and the oldest leave."""
        if not texts:
            return
        with self._errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                for text in texts:
                    pipe.lrem(self._key, 0, text)
                    pipe.lpush(self._key, text)
                pipe.ltrim(self._key, 0, MOST_KEPT - 1)
                pipe.expire(self._key, EXPLOITS_TTL)
                await pipe.execute()
