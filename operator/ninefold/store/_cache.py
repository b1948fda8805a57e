"""Answers that were paid for: a call is never bought twice, across pods, crashes and cycles.

The key is a hash over the full request (endpoint, prompts, parameters, seed), so any change of it is another call.
Only answers go in, never failures: a failure that is remembered would be served again when it could have passed.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from ninefold.api.artifacts import canonical, sha256

ANSWER_TTL = timedelta(days=30)
"""The next cycles replay many of the same cases under the same baseline."""


class CallCache:
    """Answers of one Agent by request. Errors: `StoreUnavailableError`."""

    def __init__(self, redis: Redis, errors: Callable[[], AbstractContextManager[None]], agent_uid: str) -> None:
        self._redis = redis
        self._errors = errors
        self._prefix = f"ninefold:{agent_uid}:answer:"

    async def get(self, request: Any) -> Any | None:
        """The answer (a JSON value) that this very request (a JSON value) got before, or None."""
        with self._errors():
            found = await self._redis.get(self._key(request))
        return None if found is None else json.loads(found)

    async def put(self, request: Any, answer: Any, ttl: timedelta = ANSWER_TTL) -> None:
        """Remember an answer. Never a failure, a timeout, or None."""
        with self._errors():
            await self._redis.set(self._key(request), canonical(answer), ex=ttl)

    def _key(self, request: Any) -> str:
        return self._prefix + sha256(canonical(request))
