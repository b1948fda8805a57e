"""Nothing to do means nothing written: counted by the API server itself, over resyncs and a restart."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import a_policy_object, an_agent_object
from integration.conftest import MakeOperator
from integration.loop import Loop
from integration.process import OperatorProcess, eventually

from testbed import ControlPlane

pytestmark = [pytest.mark.integration, pytest.mark.slow]

AGENTS = 200


def reconciles(process: OperatorProcess, kind: str) -> int:
    """Reconciles of a kind that came to their end, whatever it was."""
    lines = re.findall(rf'ninefold_reconcile_seconds_count{{kind="{kind}".*}} ([0-9.]+)', process.metrics())
    return int(sum(map(float, lines)))


def looked_at_everything(process: OperatorProcess, times: int) -> None:
    """Wait until every Agent and every policy was reconciled so many more times."""
    wanted = {kind: reconciles(process, kind) + times * AGENTS for kind in ("Agent", "OptimizationPolicy")}
    for kind, count in wanted.items():
        eventually(lambda kind=kind, count=count: reconciles(process, kind) >= count, f"{count} of {kind}", 120)


def ready(loop: Loop, kind: str) -> int:
    """How many objects of a kind are ready."""
    conditions = [c for one in loop.all(kind) for c in one.get("status", {}).get("conditions", [])]
    return sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def writes(installed: ControlPlane, namespace: str, since: datetime) -> list[Any]:
    """What the operator wrote, but for the renewals of its lease, which are its heartbeat."""
    user = f"system:serviceaccount:{namespace}:ninefold"
    found = [(event["verb"], event["objectRef"]) for event in installed.audit_writes(user, since)]
    return [(verb, ref) for verb, ref in found if ref["resource"] != "leases"]


def test_two_hundred_agents_at_rest_cost_no_write(
    loop: Loop, operator: MakeOperator, installed: ControlPlane, namespace: str
) -> None:
    process = operator(NINEFOLD_RESYNC_SECONDS="3")
    process.start()
    loop.set_up(trigger={"onApply": False})
    others = range(1, AGENTS)
    agents = (an_agent_object(f"agent-{n}") for n in others)
    policies = (a_policy_object(f"policy-{n}", f"agent-{n}", trigger={"onApply": False}) for n in others)
    loop.apply(*agents, *policies)
    for kind, count in (("nfa", AGENTS), ("nfp", AGENTS), ("nftb", 1)):
        eventually(lambda kind=kind, count=count: ready(loop, kind) == count, f"{count} {kind} are ready", 120)
    looked_at_everything(process, 1)

    at_rest = datetime.now(UTC)
    looked_at_everything(process, 3)
    assert writes(installed, namespace, at_rest) == []
    assert process.probe("healthz") == "ok"

    assert process.stop() == 0
    restarted = datetime.now(UTC)
    process.start()
    eventually(lambda: reconciles(process, "Agent") >= 3 * AGENTS, "three looks after the restart", 120)
    assert writes(installed, namespace, restarted) == []
