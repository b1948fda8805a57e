"""docs/replay.md, "Retries, concurrency, restarts": pods that are killed at any moment pay nothing twice.

Real pods (the command of the Job), a real Redis, a real endpoint over HTTP.
"""

import json
import random
import secrets
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from ninefold.api.outcomes import ReplayReport, ReplayRow
from ninefold.api.spending import Spending
from ninefold.store import Store
from testbed import RedisServer

from .conftest import Reply, Staging
from .pods import Pods
from .test_replay_job import HELPS, JobBench, endpoint_that_needs_facts

KILLS = 20
CASES = 50
CONCURRENCY = 4
SECONDS = 0.01
"""That the agent works on a case: long enough to be killed in."""


class Agent:
    """An agent that runs a key once: a repeated key waits for the run under way, or is answered from memory.

    `runs` counts by key what it did. `wanted` names a number of requests; `seen` is set when so many have come.
    """

    def __init__(self, *, hears_keys: bool) -> None:
        self._hears = hears_keys
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


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    async with Store(redis_server.url) as store:
        bench = JobBench(store, staging, tmp_path, redis_server.url, policy={"replay": {"concurrency": CONCURRENCY}})
        await bench.upstream(HELPS, number=CASES)
        yield bench


async def whole(bench: JobBench, pods: Pods) -> ReplayReport:
    pod = pods.start(bench.environment("sealed", **bench.frozen(HELPS)))
    assert pods.end(pod) == 0, bench.told()
    return await bench.result()


def verdict(report: ReplayReport) -> bytes:
    """The artifact without its account of what was paid, what came from memory, and how long it took."""
    update = {"calls_paid": 0, "calls_cached": 0, "spending": Spending()}
    timeless = {"rows": [*map(without_time, report.rows)], "probes": [*map(without_time, report.probes)]}
    return report.model_copy(update={**update, **timeless}).to_bytes()


def without_time(row: ReplayRow) -> ReplayRow:
    outcomes = {arm: outcome.model_copy(update={"millis": None}) for arm, outcome in row.outcomes.items()}
    return row.model_copy(update={"outcomes": outcomes})


@dataclass
class Disturbed:
    """A replay whose pods were ended at `KILLS` points, beside the same one that nobody disturbed."""

    quiet: Agent
    agent: Agent
    undisturbed: ReplayReport
    report: ReplayReport

    @property
    def more(self) -> float:
        """Calls counted beyond those of the undisturbed run, as a share of them."""
        return self.report.calls_paid / self.undisturbed.calls_paid - 1


async def disturbed(bench: JobBench, by: signal.Signals, *, hears_keys: bool) -> Disturbed:
    with Pods() as pods:
        bench.staging.answer = quiet = Agent(hears_keys=hears_keys)
        undisturbed = await whole(bench, pods)
        assert undisturbed.calls_paid == quiet.requests == len(quiet.runs)

        bench.uid = secrets.token_hex(8)
        await bench.upstream(HELPS, number=CASES)
        bench.staging.answer = agent = Agent(hears_keys=hears_keys)
        points = sorted(random.Random(7).sample(range(5, len(quiet.runs) - 5), KILLS))
        environment = bench.environment("sealed", **bench.frozen(HELPS))
        for point in points:
            # Requests that are repeated count as well: the point is one of the run, not of the pod.
            agent.wanted = point + agent.requests - len(agent.runs)
            agent.seen.clear()
            pod = pods.start(environment)
            if len(agent.runs) < point:
                assert agent.seen.wait(60)
            assert pods.end(pod, by) != 0
        return Disturbed(quiet, agent, undisturbed, await whole(bench, pods))


async def test_pods_that_are_told_to_stop_at_twenty_points_pay_what_an_undisturbed_run_pays(bench: JobBench) -> None:
    """SIGTERM: how Kubernetes ends a pod that is drained, preempted, evicted or deleted. The endpoint does not help."""
    found = await disturbed(bench, signal.SIGTERM, hears_keys=False)
    assert set(found.agent.runs.values()) == {1} and found.agent.runs.keys() == found.quiet.runs.keys()
    assert found.more == 0
    assert verdict(found.report) == verdict(found.undisturbed)


async def test_pods_killed_at_twenty_points_pay_nothing_twice_where_the_endpoint_hears_keys(bench: JobBench) -> None:
    """SIGKILL: a node that dies, or memory that is gone."""
    found = await disturbed(bench, signal.SIGKILL, hears_keys=True)
    assert found.agent.requests > found.quiet.requests
    assert set(found.agent.runs.values()) == {1} and found.agent.runs.keys() == found.quiet.runs.keys()
    assert abs(found.more) <= 0.01
    assert verdict(found.report) == verdict(found.undisturbed)


async def test_pods_killed_at_twenty_points_lose_what_is_in_flight_and_that_is_little(bench: JobBench) -> None:
    """SIGKILL without keys: two windows, then one call a kill and a hundredth of those answered."""
    found = await disturbed(bench, signal.SIGKILL, hears_keys=False)
    runs, lost = len(found.quiet.runs), found.report.calls_paid - found.undisturbed.calls_paid
    assert sum(found.agent.runs.values()) - runs <= lost <= 2 * CONCURRENCY + (KILLS - 2) + 0.01 * runs
    assert verdict(found.report) == verdict(found.undisturbed)
