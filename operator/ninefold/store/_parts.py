"""Parts of an analysis: what each slice of the traces has left, so that a slice is read once, by whichever pod.

A part is kept as pieces (Redis moves large values badly) under names that carry their digest, and its head, written
last, says which pieces belong to it: so nobody ever sees half of a part, and a pod that dies leaves either the old part
or the new one. Beside the parts lies the index of the objects that they were read from. Everything here is read again
from the traces when it is lost.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from ninefold.api.artifacts import canonical, sha256

PIECE_BYTES = 8 * 2**20
INDEX_TTL = timedelta(days=30)
"""Renewed by every run: as long as somebody reads the traces, their index stays."""
_AT_ONCE = 500


@dataclass(frozen=True)
class PartHead:
    """What is known of a part without reading it."""

    digest: str
    """Of the rows that it was read from; empty where only time decides whether it is fresh."""
    until: int
    """The end of the window for which it was read, nanoseconds since 1970: what came later may be missing."""
    traces: int
    late: int
    """Traces that a later reading found, though the slice was over at an earlier one."""
    tally: dict[str, Any]
    """What was met while it was read, as `ninefold.traces.tally` writes it."""
    sha256: str
    size: int
    """Of the part, in bytes; 0: there is nothing to analyse in it."""

    def to_bytes(self) -> bytes:
        return canonical(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "PartHead | None":
        """None for what is no head: the slice is read again."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None

    def describes(self, data: bytes) -> bool:
        """Whether these bytes are the part."""
        return len(data) == self.size and sha256(data) == self.sha256

    @classmethod
    def of(cls, data: bytes, *, digest: str, until: int, traces: int, late: int, tally: dict[str, Any]) -> "PartHead":
        """The head of a part with these bytes."""
        return cls(digest, until, traces, late, tally, sha256(data), len(data))


class PartStore:
    """The parts of one Agent under one way of reading. Errors: `StoreUnavailableError`.

    `reading` names what determines the content of a part, `source` what determines that of the index.
    """

    def __init__(
        self,
        redis: Redis,
        errors: Callable[[], AbstractContextManager[None]],
        agent_uid: str,
        *,
        reading: str,
        source: str,
        ttl: timedelta,
    ) -> None:
        self._redis, self._errors, self._ttl = redis, errors, ttl
        self._parts = f"ninefold:{agent_uid}:part:{reading}:"
        self._index = f"ninefold:{agent_uid}:index:{source}"
        self._claims = f"ninefold:{agent_uid}:claim:{source}:"

    async def heads(self, slices: Sequence[str]) -> dict[str, PartHead]:
        """The heads of those slices that have a part."""
        found: dict[str, PartHead] = {}
        for at in range(0, len(slices), _AT_ONCE):
            names = slices[at : at + _AT_ONCE]
            with self._errors():
                values = await self._redis.mget([self._parts + name for name in names])
            heads = ((n, PartHead.from_bytes(_raw(v))) for n, v in zip(names, values, strict=True) if v is not None)
            found |= {name: head for name, head in heads if head is not None}
        return found

    async def put(self, name: str, head: PartHead, data: bytes, traces: bytes) -> None:
        """Keep the part of a slice in place of the one before. `traces` are the hashes of its traces' ids."""
        before = (await self.heads([name])).get(name)
        keys = self._pieces(name, head)
        with self._errors():
            for n, key in enumerate(keys):
                await self._redis.set(key, data[n * PIECE_BYTES : (n + 1) * PIECE_BYTES], ex=self._ttl)
            await self._redis.set(f"{self._parts}{name}:traces", traces, ex=self._ttl)
            await self._redis.set(self._parts + name, head.to_bytes(), ex=self._ttl)
            if before is not None and before.sha256 != head.sha256:
                await self._redis.delete(*self._pieces(name, before))

    async def data(self, name: str, head: PartHead) -> bytes | None:
        """The part itself; None when it is no longer whole."""
        with self._errors():
            pieces = [await self._redis.get(key) for key in self._pieces(name, head)]
        data = b"".join(_raw(piece or b"") for piece in pieces)
        return data if head.describes(data) else None

    async def traces(self, name: str) -> bytes:
        """The hashes that came with the part; empty when they are lost."""
        with self._errors():
            return _raw(await self._redis.get(f"{self._parts}{name}:traces") or b"")

    async def forget(self, name: str) -> None:
        """As if the slice had never been read."""
        with self._errors():
            await self._redis.delete(self._parts + name)

    async def entries(self, names: Sequence[str]) -> dict[str, bytes]:
        """What the index says of these objects."""
        found: dict[str, bytes] = {}
        with self._errors():
            await self._redis.expire(self._index, INDEX_TTL)
            for at in range(0, len(names), _AT_ONCE):
                some = list(names[at : at + _AT_ONCE])
                values = await self._redis.hmget(self._index, some)
                found |= {name: _raw(value) for name, value in zip(some, values, strict=True) if value is not None}
        return found

    async def put_entries(self, entries: Mapping[str, bytes]) -> None:
        with self._errors():
            await self._redis.hset(self._index, items=[part for entry in entries.items() for part in entry])
            await self._redis.expire(self._index, INDEX_TTL)

    async def forget_entries(self, but: Sequence[str]) -> None:
        """Drop what the index says of objects that are no longer there."""
        with self._errors():
            known = {_raw(key).decode() for key in await self._redis.hkeys(self._index)}
            if gone := sorted(known - set(but)):
                await self._redis.hdel(self._index, *gone)

    async def claim(self, name: str, by: str, lasts: timedelta) -> bool:
        """Whether an object is for this one to open: nobody else has claimed it, or their time is over."""
        with self._errors():
            if await self._redis.set(self._claims + name, by, nx=True, ex=lasts):
                return True
            return await self._redis.get(self._claims + name) == by.encode()

    async def note(self, name: str) -> bytes:
        """What an earlier analysis of these parts has left under a name; empty when there is nothing."""
        with self._errors():
            return _raw(await self._redis.get(f"{self._parts}note:{name}") or b"")

    async def put_note(self, name: str, data: bytes) -> None:
        """Leave something for the next analysis of these parts."""
        with self._errors():
            await self._redis.set(f"{self._parts}note:{name}", data, ex=self._ttl)

    def _pieces(self, name: str, head: PartHead) -> list[str]:
        count = max(1, -(-head.size // PIECE_BYTES))
        return [f"{self._parts}{name}:{head.sha256[:16]}:{n}" for n in range(count)]


def _raw(value: bytes | str) -> bytes:
    """The client's types allow for text; this connection decodes nothing."""
    assert isinstance(value, bytes)
    return value
