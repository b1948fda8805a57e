"""A reader that is killed at twenty random points, and started again each time, loses no trace and doubles none."""

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import killed_reader
import pytest
from killed_reader import PASS_TRACES, read, what_was_kept
from reading_builders import a_line, a_span, at_once
from trace_builders import request, write_lines

from ninefold.jobs import passes, reading
from testbed import RedisServer

DAYS, A_DAY, KILLS = 16, 4, 20


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def write_history(root: Path) -> None:
    """A file a day; every trace has a span in the next day's file, and some lines are broken."""
    for day in range(DAYS + 1):
        new = [a_line(day * A_DAY + n + 1, day + n / 10) for n in range(A_DAY if day < DAYS else 0)]
        ended = [a_span((day - 1) * A_DAY + n + 1, day - 1 + n / 10, 80_000, n=2) for n in range(A_DAY if day else 0)]
        write_lines(root / f"{day:02}.jsonl", *new, request(*ended), "{broken")


def a_process(*arguments: object) -> int:
    """Run the reader in a process of its own; returns its exit code."""
    process = multiprocessing.get_context("forkserver").Process(target=read, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("seed", [1])
def test_killed_at_twenty_random_points(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for module, name in ((passes, "Part"), (reading, "Part"), (reading, "PASS_TRACES")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back afterwards what `lighten` changes
    killed_reader.lighten()
    multiprocessing.get_context("forkserver").set_forkserver_preload(["killed_reader"])
    root, url = tmp_path / "traces", redis_server.url
    write_history(root)

    assert a_process(url, "undisturbed", root, tmp_path / "whole", None) == 0
    calls = int((tmp_path / "whole").read_text().split()[-1])
    undisturbed = what_was_kept(url, "undisturbed", root)

    rng = random.Random(seed)
    codes = [a_process(url, "killed", root, tmp_path / "killed", rng.randrange(1, calls // 4)) for _ in range(KILLS)]
    codes.append(a_process(url, "killed", root, tmp_path / "killed", None))
    assert codes.count(-9) == KILLS and codes[-1] == 0
    killed = what_was_kept(url, "killed", root)

    assert killed == undisturbed
    assert killed[0].read == 0 and killed[1] == at_once(root)
    done = [line.split() for line in (tmp_path / "killed").read_text().splitlines()]
    kept = Counter(name for what, name in done if what == "keep")
    assert sum(kept.values()) - len(kept) <= KILLS * (PASS_TRACES // A_DAY), "a kill costs at most one pass"
    opened = Counter(name for what, name in done if what == "open")
    assert sum(opened.values()) <= len(opened) * 2 + KILLS * 4, "an object is opened again only for stale slices"
