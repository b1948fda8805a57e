"""The operator's process over the simulated cluster: woken as the real one is, and started anew when it dies."""

import json
from datetime import timedelta
from typing import Any

from unit.controllers.simulated import Died, SimulatedCluster
from unit.controllers.simulated_jobs import Behaviour, run_jobs

from ninefold.controllers.kinds import controllers
from ninefold.controllers.ports import Key
from ninefold.controllers.settings import OperatorSettings, RedisAddress
from ninefold.controllers.wakes import affected

SETTINGS = OperatorSettings(job_image="ninefold/jobs:1", redis=RedisAddress(url="redis://redis:6379/0"))
RECONCILED = ("TraceBackend", "Agent", "OptimizationPolicy", "OptimizationRun")


class World:
    """A cluster with an operator that is woken as the real one is, and that starts anew when it dies."""

    def __init__(self, behave: Behaviour, settings: OperatorSettings = SETTINGS) -> None:
        self.cluster = SimulatedCluster()
        self.behave = behave
        self.controllers = controllers(settings)
        self.deaths = 0
        self._queue: dict[Key, None] = {}

    async def settle(self, rounds: int = 400) -> None:
        """Reconcile and let Jobs end until nothing happens any more."""
        for _ in range(rounds):
            try:
                await self._reconcile_all()
            except Died:
                self.deaths += 1
                self.restart()
                continue
            run_jobs(self.cluster, self.behave)
            if not self.cluster.changed:
                self.cluster.assert_nothing_was_changed_in_place()
                return
        raise AssertionError(f"no rest after {rounds} rounds; last: {self.cluster.writes[-3:]}")

    async def wake(self) -> None:
        """The resync: look at everything once, then settle."""
        self.restart()
        await self.settle()

    async def later(self, **delta: float) -> None:
        """Time passes; then everything is looked at."""
        self.cluster.now += timedelta(**delta)
        await self.wake()

    async def look_at(self, kind: str, name: str) -> None:
        """One reconcile of one object, while nobody else looks at anything."""
        await self._reconcile(Key(kind, "shop", name))

    async def actions(self) -> dict[str, Any]:
        """What would be done now, by object; empty when all is as it should be."""
        now = self.cluster.now
        plans = {key: await self.controllers[key.kind].plan(self.cluster, key, now) for key in self.all_keys()}
        return {f"{key.kind}/{key.name}": plan.actions for key, plan in plans.items() if plan.actions}

    def restart(self) -> None:
        """The process is gone with all that it knew; its successor looks at everything once."""
        self.cluster.changed.clear()
        self._queue = dict.fromkeys(self.all_keys())

    def all_keys(self) -> list[Key]:
        return [Key(kind, ns, name) for kind, ns, name in sorted(self.cluster.objects) if kind in RECONCILED]

    async def _reconcile_all(self) -> None:
        looks = 0
        while True:
            for manifest in self.cluster.changed:
                if manifest["kind"] not in ("Pod", "Secret"):
                    self._queue.update(dict.fromkeys(sorted(await affected(self.cluster, manifest))))
            self.cluster.changed.clear()
            if not self._queue:
                return
            key = next(iter(self._queue))
            del self._queue[key]
            await self._reconcile(key)
            looks += 1
            assert looks < 5000, f"an endless loop, at last {key}: {self.cluster.writes[-3:]}"

    async def _reconcile(self, key: Key) -> None:
        plan = await self.controllers[key.kind].plan(self.cluster, key, self.cluster.now)
        for action in plan.actions:
            await self.cluster.perform(action)
        if plan.again_at is not None and plan.again_at <= self.cluster.now - timedelta(seconds=len(plan.actions)):
            self._queue[key] = None


def snapshot_of(cluster: SimulatedCluster) -> dict[str, Any]:
    """The state modulo times and resource versions: what two histories must agree on. Events by their keys."""
    text = json.dumps({"/".join(place): _timeless(manifest) for place, manifest in sorted(cluster.objects.items())})
    return {"objects": json.loads(text), "events": sorted(_timeless_key(key) for key in cluster.events)}


_TIMES = {
    "creationTimestamp",
    "resourceVersion",
    "lastTransitionTime",
    "startTime",
    "completionTime",
    "lastProbeTime",
    "lastTime",
    "lastRunTime",
    "nextRunTime",
    "windowStart",
    "windowEnd",
    "sealedSince",
    "inputsHash",
}
"""The inputs carry the window, so their hash is a time, too."""


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [_timeless(inner) for inner in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.dumps(_timeless(json.loads(value)), sort_keys=True)
        except ValueError:
            return value
    return value


def _timeless_key(key: str) -> str:
    return "/".join(key.split("/")[:4])
