"""The four controllers, as the queue runs them: `gather` a snapshot, `plan` it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ninefold.controllers import agent, policy, run, tracebackend
from ninefold.controllers.actions import Plan
from ninefold.controllers.ports import Key, Reader
from ninefold.controllers.settings import OperatorSettings


@dataclass(frozen=True)
class Controller:
    """One kind's controller. The snapshot is the controller's own type; None means that the object is gone."""

    kind: str
    gather: Callable[[Reader, Key, OperatorSettings], Awaitable[Any]]
    decide: Callable[[Any, datetime], Plan]
    settings: OperatorSettings

    async def plan(self, reader: Reader, key: Key, now: datetime) -> Plan:
        """What to do about one object now."""
        return self.decide(await self.gather(reader, key, self.settings), now)


def controllers(settings: OperatorSettings) -> dict[str, Controller]:
    """By kind."""
    found = (
        Controller("TraceBackend", tracebackend.gather, tracebackend.plan, settings),
        Controller("Agent", agent.gather, agent.plan, settings),
        Controller("OptimizationPolicy", policy.gather, policy.plan, settings),
        Controller("OptimizationRun", run.gather, run.plan, settings),
    )
    return {controller.kind: controller for controller in found}
