"""Workers over the schedule: parallel over keys, serial per key, and a stop that finishes what is under way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ninefold.controllers.ports import Key
from ninefold.process.queue import Queue


def key(name: str) -> Key:
    return Key("Agent", "ns", name)


class Recorder:
    """A reconcile that waits at a gate and remembers who was in it together."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.entered: asyncio.Queue[Key] = asyncio.Queue()
        self.inside: list[Key] = []
        self.most = 0
        self.done: list[Key] = []

    async def __call__(self, key: Key) -> datetime | None:
        assert key not in self.inside, "one key on two workers"
        self.inside.append(key)
        self.most = max(self.most, len(self.inside))
        self.entered.put_nowait(key)
        await self.gate.wait()
        self.inside.remove(key)
        self.done.append(key)
        return None


async def test_keys_run_in_parallel_up_to_the_number_of_workers() -> None:
    recorder = Recorder()
    queue = Queue(recorder, workers=2)
    queue.start()
    queue.add(key("a"), key("b"), key("c"))
    await recorder.entered.get()
    await recorder.entered.get()
    assert queue.depth("Agent") == 1
    recorder.gate.set()
    assert (await recorder.entered.get()) == key("c")
    await queue.stop()
    assert recorder.most == 2


async def test_one_key_is_never_on_two_workers_and_an_event_meanwhile_is_not_lost() -> None:
    recorder = Recorder()
    queue = Queue(recorder, workers=4)
    queue.start()
    queue.add(key("a"))
    await recorder.entered.get()
    queue.add(key("a"))
    recorder.gate.set()
    await recorder.entered.get()
    await queue.stop()
    assert recorder.done == [key("a"), key("a")]


async def test_a_failure_takes_no_worker_down_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.process.queue.BACKOFF_FIRST", 0.001)
    tries: asyncio.Queue[Key] = asyncio.Queue()

    async def reconcile(key: Key) -> datetime | None:
        tries.put_nowait(key)
        raise RuntimeError("no")

    queue = Queue(reconcile, workers=1)
    queue.start()
    queue.add(key("a"))
    for _ in range(3):
        assert await tries.get() == key("a")
    await queue.stop()


async def test_reconciles_that_wait_for_nobody_do_not_hold_up_others() -> None:
    others_turns = 0

    async def reconcile(key: Key) -> datetime | None:
        return None

    async def somebody_else() -> None:
        nonlocal others_turns
        while queue.depth("Agent"):
            others_turns += 1
            await asyncio.sleep(0)

    queue = Queue(reconcile, workers=1)
    queue.add(*(key(str(n)) for n in range(100)))
    queue.start()
    await somebody_else()
    await queue.stop()
    assert others_turns >= 100


async def test_a_time_in_the_past_means_at_once() -> None:
    seen: asyncio.Queue[Key] = asyncio.Queue()
    answers = [datetime.now(UTC) - timedelta(hours=1), None]

    async def reconcile(key: Key) -> datetime | None:
        seen.put_nowait(key)
        return answers.pop(0)

    queue = Queue(reconcile, workers=1)
    queue.start()
    queue.add(key("a"))
    await seen.get()
    await seen.get()
    await queue.stop()
    assert answers == []


async def test_a_resync_reaches_every_key() -> None:
    seen: asyncio.Queue[Key] = asyncio.Queue()

    async def reconcile(key: Key) -> datetime | None:
        seen.put_nowait(key)
        return None

    queue = Queue(reconcile, workers=1)
    queue.start()
    keys = {key(str(n)) for n in range(20)}
    queue.resync(keys, spread=0.01)
    assert {await seen.get() for _ in range(20)} == keys
    await queue.stop()


async def test_a_stop_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    recorder = Recorder()
    queue = Queue(recorder, workers=1)
    queue.start()
    queue.add(key("a"), key("b"))
    await recorder.entered.get()
    stop = asyncio.create_task(queue.stop())
    await asyncio.sleep(0)
    assert queue.stopping
    recorder.gate.set()
    await stop
    assert recorder.done == [key("a")]


async def test_a_stop_does_not_wait_forever() -> None:
    recorder = Recorder()
    queue = Queue(recorder, workers=1)
    queue.start()
    queue.add(key("a"))
    await recorder.entered.get()
    await queue.stop(patience=0)
    assert recorder.done == []


async def test_the_oldest_reconcile_is_known_so_that_a_stuck_one_can_be_told() -> None:
    recorder = Recorder()
    queue = Queue(recorder, workers=2)
    assert queue.oldest() is None
    queue.start()
    queue.add(key("a"))
    await recorder.entered.get()
    queue.add(key("b"))
    await recorder.entered.get()
    oldest = queue.oldest()
    assert oldest is not None
    assert oldest[0] == key("a")
    recorder.gate.set()
    await queue.stop()
