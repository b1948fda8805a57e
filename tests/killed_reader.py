"""A process that reads a window of files into a store, and kills itself without warning after so many function calls.

It is a module of its own because a process of its own runs it: `multiprocessing` imports it by name.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from light_parts import LightPart
from trace_builders import run_inputs

from ninefold.api.inputs import RunInputs
from ninefold.jobs import passes, reading
from ninefold.jobs.keeping import RedisParts, parts_in
from ninefold.jobs.reading import Reading, read_window
from ninefold.store import PartHead, Store
from ninefold.traces import open_backend
from ninefold.traces.otlp import OtlpFiles

PASS_TRACES = 8


def inputs_of(agent: str) -> RunInputs:
    return RunInputs.model_validate({**run_inputs().wire(), "agentUid": agent})


def read(url: str, agent: str, root: Path, journal: Path, kill_after: int | None) -> None:
    """Read, and note in the journal what was opened and what was kept; at the end, how many calls that took."""
    log = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(*words: object) -> None:
        os.write(log, (" ".join(map(str, words)) + "\n").encode())

    calls = 0

    def called(*event: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    rows = OtlpFiles.rows

    def opened(self: OtlpFiles, one: Any) -> Iterator[Any]:
        note("open", one.name)
        return rows(self, one)

    OtlpFiles.rows = opened  # type: ignore[method-assign,assignment]

    class Noting(RedisParts):
        def put(self, name: str, head: PartHead, data: bytes, traces: bytes) -> None:
            super().put(name, head, data, traces)
            note("keep", name)

    def work(kept: RedisParts) -> None:
        sys.setprofile(called)
        read_window(open_backend(inputs_of(agent).backend, root), inputs_of(agent), kept)
        sys.setprofile(None)
        note("end", calls)

    async def main() -> None:
        async with Store(url) as store:
            redis = parts_in(store, inputs_of(agent))
            await asyncio.to_thread(work, Noting(redis._store, redis._loop))

    lighten()
    asyncio.run(main())


def what_was_kept(url: str, agent: str, root: Path) -> tuple[Reading, dict[str, int]]:
    """What another reading finds, and the steps of all traces that were kept."""

    async def main() -> tuple[Reading, dict[str, int]]:
        async with Store(url) as store:
            kept, inputs = parts_in(store, inputs_of(agent)), inputs_of(agent)

            def look() -> tuple[Reading, dict[str, int]]:
                found = read_window(open_backend(inputs.backend, root), inputs, kept)
                steps: dict[str, int] = {}
                for part in found.parts(kept, inputs):
                    own = part.steps  # type: ignore[attr-defined]
                    assert not steps.keys() & own.keys(), "a trace was doubled"
                    steps |= own
                return found, steps

            return await asyncio.to_thread(look)

    return asyncio.run(main())


def lighten() -> None:
    """Parts without the engine, and passes of a few traces."""
    passes.Part = reading.Part = LightPart  # type: ignore[misc,assignment]
    reading.PASS_TRACES = PASS_TRACES
