"""Where parts of an analysis are kept, as the reader sees it: without a loop, for it reads in a thread.

`RedisParts` is the Job's door to the store; `FolderParts` keeps the same on a laptop; `MemoryParts` keeps nothing
beyond this process.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ninefold.analysis.part import settings
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import parse_duration
from ninefold.api.inputs import RunInputs
from ninefold.store import PartHead, PartStore, Store
from ninefold.traces import Window
from ninefold.traces.slices import length_for

FORMAT = 2
"""Of what is kept. With another number everything is read again."""
KEPT_LONGER = timedelta(days=7)
"""A part outlives its window by this: a policy that was suspended for some days finds it again."""

_Answer = TypeVar("_Answer")


class Parts(Protocol):
    """See `ninefold.store.PartStore`, which says what each of these does."""

    def heads(self, slices: Sequence[str]) -> dict[str, PartHead]: ...

    def put(self, name: str, head: PartHead, data: bytes, traces: bytes) -> None: ...

    def data(self, name: str, head: PartHead) -> bytes | None: ...

    def traces(self, name: str) -> bytes: ...

    def entries(self, names: Sequence[str]) -> dict[str, bytes]: ...

    def put_entries(self, entries: Mapping[str, bytes]) -> None: ...

    def forget_entries(self, but: Sequence[str]) -> None: ...

    def forget(self, name: str) -> None: ...

    def claim(self, name: str, by: str, lasts: timedelta) -> bool: ...

    def note(self, name: str) -> bytes: ...

    def put_note(self, name: str, data: bytes) -> None: ...


@dataclass(frozen=True)
class Names:
    """What kept parts hang on: `reading` is all that their content depends on, `source` what the index does."""

    reading: str
    source: str
    ttl: timedelta

    @classmethod
    def of(cls, inputs: RunInputs) -> "Names":
        where = inputs.backend.wire()
        privacy = where.pop("privacy", None)
        if "langfuse" in where:
            where["langfuse"].pop("pageSize", None)
        window, asked = Window.of(inputs.window_start, inputs.window_end), inputs.policy.traces
        how = [privacy, settings(inputs)]
        ttl = parse_duration(asked.window) + parse_duration(asked.lateness) + KEPT_LONGER
        return cls(_hashed([FORMAT, where, how, length_for(window)]), _hashed([FORMAT, where]), ttl)


def _hashed(value: object) -> str:
    return sha256(canonical(value))[:16]


class RedisParts:
    """The store, asked from a thread. `loop` is the one in which the store was opened."""

    def __init__(self, store: PartStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._loop = store, loop

    def heads(self, slices: Sequence[str]) -> dict[str, PartHead]:
        return self._wait(self._store.heads(slices))

    def put(self, name: str, head: PartHead, data: bytes, traces: bytes) -> None:
        self._wait(self._store.put(name, head, data, traces))

    def data(self, name: str, head: PartHead) -> bytes | None:
        return self._wait(self._store.data(name, head))

    def traces(self, name: str) -> bytes:
        return self._wait(self._store.traces(name))

    def entries(self, names: Sequence[str]) -> dict[str, bytes]:
        return self._wait(self._store.entries(names))

    def put_entries(self, entries: Mapping[str, bytes]) -> None:
        self._wait(self._store.put_entries(entries))

    def forget_entries(self, but: Sequence[str]) -> None:
        self._wait(self._store.forget_entries(but))

    def forget(self, name: str) -> None:
        self._wait(self._store.forget(name))

    def claim(self, name: str, by: str, lasts: timedelta) -> bool:
        return self._wait(self._store.claim(name, by, lasts))

    def note(self, name: str) -> bytes:
        return self._wait(self._store.note(name))

    def put_note(self, name: str, data: bytes) -> None:
        self._wait(self._store.put_note(name, data))

    def _wait(self, asked: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


def parts_in(store: Store, inputs: RunInputs) -> RedisParts:
    """The parts of a run's Agent in the store that this loop has opened."""
    names = Names.of(inputs)
    kept = store.parts(inputs.agent_uid, names.reading, names.source, names.ttl)
    return RedisParts(kept, asyncio.get_running_loop())


class MemoryParts:
    """Kept by this process alone."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def heads(self, slices: Sequence[str]) -> dict[str, PartHead]:
        found = ((name, PartHead.from_bytes(self._get(f"{name}.head"))) for name in slices)
        return {name: head for name, head in found if head is not None}

    def put(self, name: str, head: PartHead, data: bytes, traces: bytes) -> None:
        self._set(f"{name}.part", data)
        self._set(f"{name}.traces", traces)
        self._set(f"{name}.head", head.to_bytes())

    def data(self, name: str, head: PartHead) -> bytes | None:
        data = self._get(f"{name}.part")
        return data if head.describes(data) else None

    def traces(self, name: str) -> bytes:
        return self._get(f"{name}.traces")

    def entries(self, names: Sequence[str]) -> dict[str, bytes]:
        found = ((name, self._get(f"{name}.entry")) for name in names)
        return {name: data for name, data in found if data}

    def put_entries(self, entries: Mapping[str, bytes]) -> None:
        for name, data in entries.items():
            self._set(f"{name}.entry", data)

    def forget_entries(self, but: Sequence[str]) -> None:
        """A laptop's disk is not a shared memory: nothing is dropped."""

    def forget(self, name: str) -> None:
        self._set(f"{name}.head", b"")

    def claim(self, name: str, by: str, lasts: timedelta) -> bool:
        return True

    def note(self, name: str) -> bytes:
        return self._get(f"{name}.note")

    def put_note(self, name: str, data: bytes) -> None:
        self._set(f"{name}.note", data)

    def _get(self, key: str) -> bytes:
        return self._kept.get(key, b"")

    def _set(self, key: str, data: bytes) -> None:
        self._kept[key] = data


class FolderParts(MemoryParts):
    """Kept as files of a folder, each written aside and then renamed, so that none is ever seen half."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _get(self, key: str) -> bytes:
        path = self._folder / key
        return path.read_bytes() if path.is_file() else b""

    def _set(self, key: str, data: bytes) -> None:
        aside = self._folder / f"{key}.new"
        aside.write_bytes(data)
        aside.rename(self._folder / key)
