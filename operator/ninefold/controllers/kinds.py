"""The four controllers, as the queue runs them: `gather` a snapshot, `plan` it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ninefold.controllers import agent, policy, run, tracebackend
from ninefold.controllers.actions import Manifest, Plan
from ninefold.controllers.conditions import stalled
from ninefold.controllers.objects import Resource, agent_of, backend_of, is_gone, policy_of, run_of
from ninefold.controllers.outcome import Outcome, finish
from ninefold.controllers.ports import Key, Reader
from ninefold.controllers.settings import OperatorSettings

WRITE_REFUSED = "WriteRefused"


@dataclass(frozen=True)
class Controller:
    """One kind's controller. The snapshot is the controller's own type; None means that the object is gone."""

    kind: str
    gather: Callable[[Reader, Key, OperatorSettings], Awaitable[Any]]
    decide: Callable[[Any, datetime], Plan]
    parse: Callable[[Manifest], Resource[Any, Any]]
    manager: str
    settings: OperatorSettings

    async def plan(self, reader: Reader, key: Key, now: datetime) -> Plan:
        """What to do about one object now."""
        return self.decide(await self.gather(reader, key, self.settings), now)

    async def refused(self, reader: Reader, key: Key, sentence: str, now: datetime) -> Plan:
        """What to write when the API server refuses what was planned: a quota, an admission policy, a missing right.

        The plan itself comes back with the queue's backoff, and takes the condition away once it gets through.
        """
        manifest = await reader.get(key.kind, key.namespace, key.name)
        if manifest is None or is_gone(manifest):
            return Plan()
        return finish(self.parse(manifest), Outcome(stalled(WRITE_REFUSED, sentence)), now, self.manager)


def controllers(settings: OperatorSettings) -> dict[str, Controller]:
    """By kind."""
    found = (
        Controller("TraceBackend", tracebackend.gather, tracebackend.plan, backend_of, tracebackend.MANAGER, settings),
        Controller("Agent", agent.gather, agent.plan, agent_of, agent.MANAGER, settings),
        Controller("OptimizationPolicy", policy.gather, policy.plan, policy_of, policy.MANAGER, settings),
        Controller("OptimizationRun", run.gather, run.plan, run_of, run.MANAGER, settings),
    )
    return {controller.kind: controller for controller in found}
