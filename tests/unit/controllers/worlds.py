"""Worlds in which the loop is set up, and what is looked at in them."""

import json
from typing import Any

from builders import a_backend_object, a_policy_object, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated import SimulatedCluster
from unit.controllers.simulated_operator import World

BETTER = "b26077341b"
"""Hash of the version that the simulated Jobs propose."""


def a_world(behave: Jobs | None = None, agent: dict[str, Any] | None = None, **policy: Any) -> World:
    """A backend, an Agent and a policy, just applied; fields of the policy's spec by keyword."""
    world = World(behave or Jobs())
    world.cluster.put(a_backend_object())
    world.cluster.put(agent or an_agent_object())
    world.cluster.put(a_policy_object(**policy))
    return world


def needing_approval(*hashes: str) -> dict[str, Any]:
    return {"approval": {"required": True, "versions": list(hashes)}}


def served(cluster: SimulatedCluster, agent: str = "support") -> tuple[str, str]:
    """Version and system prompt as an agent reads them from the pointer."""
    data = cluster.one("ConfigMap", f"{agent}-prompts")["data"]
    return json.loads(data["release.json"])["stable"], data["system"]


def versions(cluster: SimulatedCluster) -> dict[str, str]:
    """Stage by version."""
    marks = [m["metadata"]["labels"] for m in cluster.all("ConfigMap")]
    return {
        f"{m['ninefold.dev/version']}-{m['ninefold.dev/hash']}": m["ninefold.dev/stage"]
        for m in marks
        if m["ninefold.dev/role"] == "version"
    }


def ledger(cluster: SimulatedCluster, agent: str = "support") -> dict[str, Any]:
    return json.loads(cluster.one("ConfigMap", f"{agent}-ledger")["data"]["ledger.json"])


def end_of(cluster: SimulatedCluster, run: str = "nightly-g1") -> tuple[str, str]:
    """Status and reason of `Succeeded`."""
    status, reason, _ = cluster.condition("OptimizationRun", run, "Succeeded") or ("", "", "")
    return status, reason
