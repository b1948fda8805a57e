"""docs/replay.md, "Retries, budget, restarts": pods that are killed at any moment pay nothing twice.

Real pods (`python -m ninefold.jobs replay`), a real Redis, a real endpoint over HTTP; SIGKILL, as a node that dies.
"""

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from ninefold.api.artifacts import ReplayReport
from ninefold.store import Store
from testbed import RedisServer

from .conftest import Reply, Staging
from .test_replay_job import HELPS, JobBench, endpoint_that_needs_facts

KILLS = 20
CASES = 80
SECONDS = 0.02
"""That the agent works on a case: long enough to be killed in."""


class Agent:
    """An agent that runs a key once: a repeated key waits for the run under way, or is answered from memory.

    `runs` counts by key what it did. `wanted` names a number of requests; `seen` is set when so many have come.
    """

    def __init__(self, staging: Staging, *, hears_keys: bool = True) -> None:
        self._staging, self._hears = staging, hears_keys
        self.runs: Counter[str] = Counter()
        self.requests = 0
        self.wanted = 0
        self.seen = threading.Event()
        self._answers: dict[str, dict[str, Any]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, request: dict[str, Any]) -> Reply:
        key = json.dumps(request, sort_keys=True)
        with self._lock:
            self.requests += 1
            if self.wanted and self.requests >= self.wanted:
                self.seen.set()
            mine = self._locks.setdefault(key, threading.Lock())
        with mine:
            known = self._hears and key in self._answers
            if not known:
                self.runs[key] += 1
                threading.Event().wait(SECONDS)
                self._answers[key] = endpoint_that_needs_facts(request).body
        headers = {"Idempotent-Replayed": str(known).lower()} if self._hears else {}
        return Reply(self._answers[key], headers=headers)


def start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The pod's own command."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "ninefold.jobs", "replay", "--bucket", "sealed"]
    return subprocess.Popen(command, env=os.environ | environment | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL)


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    async with Store(redis_server.url) as store:
        bench = JobBench(store, staging, tmp_path, redis_server.url, policy={"replay": {"concurrency": 4}})
        await bench.upstream(HELPS, number=CASES)
        yield bench


async def whole(bench: JobBench, agent: Agent) -> ReplayReport:
    bench.staging.answer = agent
    pod = start(bench.environment("sealed", **bench.frozen(HELPS)))
    assert pod.wait(60) == 0, bench.told()
    return await bench.result()


def verdict(report: ReplayReport) -> bytes:
    """The artifact without its account of what came from memory."""
    return report.model_copy(update={"calls_cached": 0, "spending": type(report.spending)()}).to_bytes()


async def test_pods_killed_at_twenty_points_pay_what_an_undisturbed_run_pays_and_find_the_same(
    bench: JobBench, tmp_path: Path
) -> None:
    bench.uid, disturbed_uid = "undisturbed", bench.uid
    await bench.upstream(HELPS, number=CASES)
    undisturbed = await whole(bench, quiet := Agent(bench.staging))
    assert undisturbed.calls_paid == quiet.requests == len(quiet.runs)

    bench.uid = disturbed_uid
    await bench.upstream(HELPS, number=CASES)
    bench.staging.answer = agent = Agent(bench.staging)
    points = sorted(random.Random(7).sample(range(5, len(quiet.runs) - 5), KILLS))
    environment = bench.environment("sealed", **bench.frozen(HELPS))
    for point in points:
        # Requests that are repeated count as well: the point is one of the run, not of the pod.
        agent.wanted = point + agent.requests - len(agent.runs)
        agent.seen.clear()
        pod = start(environment)
        if len(agent.runs) < point:
            assert agent.seen.wait(60)
        pod.kill()
        assert pod.wait(60) != 0
    disturbed = await whole(bench, agent)

    assert agent.requests > quiet.requests
    assert set(agent.runs.values()) == {1} and agent.runs.keys() == quiet.runs.keys()
    assert abs(disturbed.calls_paid - undisturbed.calls_paid) <= 0.01 * undisturbed.calls_paid
    assert verdict(disturbed.model_copy(update={"calls_paid": undisturbed.calls_paid})) == verdict(undisturbed)
