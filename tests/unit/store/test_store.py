"""The store: digests decide, budgets are atomic, errors are sentences without a password."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import redis

from ninefold.api.run import ArtifactRef
from ninefold.api.spending import Spent
from ninefold.spending import What
from ninefold.store import (
    MAX_ARTIFACT_BYTES,
    ArtifactError,
    Store,
    StoreUnavailableError,
)
from testbed import RedisServer
from testbed.ports import free_port

KEY = "ninefold:agent-uid:artifact:run-uid:analyze:1"


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    async with Store(redis_server.url) as store:
        yield store


@pytest.fixture
def raw(redis_server: RedisServer) -> redis.Redis:
    """Somebody else with access to the same Redis."""
    return redis.Redis.from_url(redis_server.url)


async def test_an_artifact_comes_back_as_it_was_put(store: Store) -> None:
    ref = await store.artifacts.put(KEY, b'{"a":1}')
    assert ref.artifact == KEY
    assert ref.bytes == 7
    assert await store.artifacts.get(ref) == b'{"a":1}'


async def test_everything_expires(store: Store, raw: redis.Redis) -> None:
    await store.artifacts.put(KEY, b"{}", ttl=timedelta(minutes=1))
    await store.calls("agent-uid").put({"q": 1}, {"a": 1})
    await store.budget("agent-uid", "run-uid", "replay-calls").reserve(1, 10)
    ages = {key.decode(): raw.ttl(key) for key in raw.scan_iter()}
    assert len(ages) == 3
    assert all(ttl > 0 for ttl in ages.values()), ages
    assert all(key.startswith("ninefold:agent-uid:") for key in ages)
    assert 0 < ages[KEY] <= 60


async def test_an_artifact_that_is_gone_is_lost(store: Store, redis_server: RedisServer) -> None:
    ref = await store.artifacts.put(KEY, b"{}")
    redis_server.flush()
    with pytest.raises(ArtifactError, match="no longer in Redis") as caught:
        await store.artifacts.get(ref)
    assert caught.value.reason == "ArtifactLost"


@pytest.mark.parametrize("forged", [b'{"a":2}', b'{"a":1} ', b'{"a":1', b"x" * 10_000])
async def test_an_artifact_that_does_not_match_its_digest_is_refused(
    store: Store, raw: redis.Redis, forged: bytes
) -> None:
    ref = await store.artifacts.put(KEY, b'{"a":1}')
    raw.set(KEY, forged)
    with pytest.raises(ArtifactError, match="does not match") as caught:
        await store.artifacts.get(ref)
    assert caught.value.reason == "ArtifactForged"


async def test_a_result_that_is_too_large_says_which_field_to_lower(store: Store) -> None:
    with pytest.raises(ArtifactError, match=r"spec\.replay\.maxCases") as caught:
        await store.artifacts.put(KEY, bytes(MAX_ARTIFACT_BYTES + 1))
    assert caught.value.reason == "ArtifactTooLarge"


async def test_a_claim_of_a_huge_artifact_is_refused_without_reading_it(store: Store) -> None:
    ref = ArtifactRef(artifact=KEY, sha256="0" * 64, bytes=MAX_ARTIFACT_BYTES + 1)
    with pytest.raises(ArtifactError, match="refused"):
        await store.artifacts.get(ref)


async def test_an_answer_is_found_by_the_whole_request_whatever_the_order_of_its_keys(store: Store) -> None:
    calls = store.calls("agent-uid")
    await calls.put({"url": "u", "body": {"seed": 1, "input": "ä"}}, {"output": "ö"})
    assert await calls.get({"body": {"input": "ä", "seed": 1}, "url": "u"}) == {"output": "ö"}
    assert await calls.get({"body": {"input": "ä", "seed": 2}, "url": "u"}) is None


async def test_agents_do_not_share_answers(store: Store) -> None:
    await store.calls("agent-1").put("q", "a")
    assert await store.calls("agent-2").get("q") is None


async def test_a_budget_is_never_exceeded_however_many_reserve_at_once(store: Store) -> None:
    budget = store.budget("agent-uid", "run-uid", "replay-calls")
    booked = await asyncio.gather(*(budget.reserve(3, 100) for _ in range(64)))
    assert sum(booked) == 33
    assert await budget.spent() == 99


async def test_a_reservation_that_does_not_fit_books_nothing(store: Store) -> None:
    budget = store.budget("agent-uid", "run-uid", "replay-calls")
    assert not await budget.reserve(11, 10)
    assert await budget.spent() == 0
    assert await budget.reserve(10, 10)


async def test_the_budgets_of_two_runs_are_apart(store: Store) -> None:
    assert await store.budget("agent-uid", "run-1", "replay-calls").reserve(10, 10)
    assert await store.budget("agent-uid", "run-2", "replay-calls").reserve(10, 10)


async def test_an_unreachable_redis_is_named_without_its_password() -> None:
    port = free_port()
    async with Store(f"redis://user:hunter2@127.0.0.1:{port}/3") as store:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.ping()
    assert f"Redis at redis://127.0.0.1:{port}/3 cannot be used" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.reason == "StoreUnavailable"


async def test_a_wrong_password_is_told_as_such(redis_server: RedisServer) -> None:
    async with Store(f"redis://:wrong@127.0.0.1:{redis_server.port}") as store:
        with pytest.raises(StoreUnavailableError, match="refuses the user or password"):
            await store.ping()


async def test_a_full_redis_says_so_to_every_writer_and_keeps_what_it_holds(store: Store, raw: redis.Redis) -> None:
    artifact = await store.artifacts.put(KEY, bytes(100))
    budget = store.budget("full", "run-uid", "replay-calls")
    assert await budget.reserve(7, 10)
    purse = await store.purse("full", "run-uid", "replay-sealed")
    raw.config_set("maxmemory", "1")
    try:
        writes = (
            lambda: store.artifacts.put(KEY, bytes(100)),
            lambda: store.calls("full").put({"prompt": "hello"}, {"text": "hello"}),
            lambda: budget.reserve(1, 10),
            lambda: purse.book("call", What("replay", "baseline"), Spent(calls=1)),
        )
        for write in writes:
            with pytest.raises(StoreUnavailableError, match=r"^Redis at \S+ is full: give it more memory"):
                await write()
        assert await store.artifacts.get(artifact) == bytes(100)
        assert await budget.spent() == 7
    finally:
        raw.config_set("maxmemory", "0")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://host", "does not start with redis://"),
        ("redis://", "needs a host"),
        ("redis://user:pa/ss@host", "no readable host and port"),
        ("redis://host/name", "number of a database"),
        ("host:6379", "does not start with redis://"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_write_instead(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        Store(url)
    assert "write redis://[user:password@]host[:port][/db]" in str(caught.value)
    assert "ss@" not in str(caught.value)
