"""Parts of an analysis: kept whole or not at all, found by slice, and forgotten in time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from ninefold.store import PartHead, PartStore, Store
from ninefold.store._parts import PIECE_BYTES
from testbed import RedisServer

HOUR = "2026-11-23T16:00:00Z"
LARGE = bytes(range(256)) * (PIECE_BYTES // 128)
"""Two pieces and more."""


def a_head(data: bytes, until: int = 1) -> PartHead:
    return PartHead.of(data, digest="d", until=until, traces=2, late=0, tally={"losses": {}})


@pytest.fixture
async def parts(redis_server: RedisServer) -> AsyncIterator[PartStore]:
    async with Store(redis_server.url) as store:
        yield store.parts("agent-1", "how", "where", timedelta(days=1))


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as client:
        yield client


async def test_a_part_comes_back_as_it_was(parts: PartStore) -> None:
    head = a_head(LARGE)
    assert await parts.heads([HOUR]) == {}
    await parts.put(HOUR, head, LARGE, b"ids")
    assert await parts.heads([HOUR, "another"]) == {HOUR: head}
    assert await parts.data(HOUR, head) == LARGE
    assert await parts.traces(HOUR) == b"ids"


async def test_a_part_that_lost_a_piece_is_none(parts: PartStore, redis: Redis) -> None:
    head = a_head(LARGE)
    await parts.put(HOUR, head, LARGE, b"")
    await redis.delete(next(key for key in await redis.keys("*") if key.endswith(b":1")))
    assert await parts.data(HOUR, head) is None


async def test_a_new_reading_takes_the_place_of_the_one_before(parts: PartStore, redis: Redis) -> None:
    await parts.put(HOUR, a_head(LARGE), LARGE, b"")
    await parts.put(HOUR, a_head(b"new", 2), b"new", b"")
    assert (await parts.heads([HOUR]))[HOUR].until == 2
    assert len(await redis.keys("*")) == 3  # head, ids, one piece


async def test_every_key_carries_the_agent_and_a_time_to_live(parts: PartStore, redis: Redis) -> None:
    await parts.put(HOUR, a_head(b"x"), b"x", b"")
    await parts.put_entries({"file": b"entry"})
    assert await parts.claim("file", "0", timedelta(seconds=9))
    keys = await redis.keys("*")
    assert all(key.startswith(b"ninefold:agent-1:") for key in keys)
    assert all([0 < await redis.ttl(key) <= 30 * 86400 for key in keys])


async def test_what_is_no_head_is_read_again(parts: PartStore, redis: Redis) -> None:
    for odd in (b"{", b"[]", b'{"digest": 1}'):
        await redis.set(f"ninefold:agent-1:part:how:{HOUR}", odd)
        assert await parts.heads([HOUR]) == {}


async def test_the_index_forgets_objects_that_are_gone(parts: PartStore) -> None:
    await parts.put_entries({"a": b"1", "b": b"2"})
    await parts.forget_entries(["b", "c"])
    assert await parts.entries(["a", "b", "c"]) == {"b": b"2"}


async def test_an_object_is_claimed_by_one_and_by_the_same_again(parts: PartStore) -> None:
    lasts = timedelta(seconds=30)
    assert await parts.claim("file", "0", lasts)
    assert not await parts.claim("file", "1", lasts)
    assert await parts.claim("file", "0", lasts)
