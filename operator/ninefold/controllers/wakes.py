"""Which keys must be looked at when an object has changed: the object's own, and those whose plans look at it.

Plans read more than their own object (a run reads its Agent, a policy its runs), so a change has to reach them. What
is missed here is found by the resync, ten minutes later; so this is about speed, never about being right.
"""

from collections.abc import Iterable

from ninefold.api import labels
from ninefold.api.base import API_VERSION
from ninefold.controllers.actions import Manifest
from ninefold.controllers.objects import Agent, Policy, Run, agents_of, policies_of, runs_of
from ninefold.controllers.ports import Key, Reader
from ninefold.controllers.runfacts import agent_of_run, is_ended


async def affected(reader: Reader, manifest: Manifest) -> set[Key]:
    """Keys to enqueue for an object that was added, changed or deleted, as last seen."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    if kind in ("Job", "ConfigMap"):
        marks = metadata.get("labels") or {}
        found = _owners(manifest)
        if kind == "ConfigMap" and marks.get(labels.ROLE) in ("version", "pointer", "ledger"):
            found |= await _around_agents(reader, namespace, {marks.get(labels.AGENT, "")}, policies=False)
        return found
    found = {Key(kind, namespace, name)}
    if kind == "Agent":
        found |= await _around_agents(reader, namespace, {name}, rivals=True)
    elif kind == "TraceBackend":
        agents = agents_of(await reader.list("Agent", namespace))
        users = {agent.name for agent in agents if agent.spec.traces.backend_ref.name == name}
        found |= await _around_agents(reader, namespace, users)
    elif kind == "OptimizationPolicy":
        agent = ((manifest.get("spec") or {}).get("agentRef") or {}).get("name", "")
        found |= await _around_agents(reader, namespace, {agent})
        found |= _runs(run for run in await _open_runs(reader, namespace) if run.spec.policy_ref.name == name)
    elif kind == "OptimizationRun":
        found |= await _around_run(reader, manifest)
    return found


def _owners(manifest: Manifest) -> set[Key]:
    """Our own object that controls this one."""
    metadata = manifest["metadata"]
    return {
        Key(owner["kind"], metadata["namespace"], owner["name"])
        for owner in metadata.get("ownerReferences") or []
        if owner["apiVersion"] == API_VERSION and owner.get("controller")
    }


async def _around_run(reader: Reader, manifest: Manifest) -> set[Key]:
    """Its policy and Agent, and the runs that wait for it to end."""
    namespace = manifest["metadata"]["namespace"]
    parsed = runs_of([manifest])
    if not parsed:
        return set()
    run = parsed[0]
    policies = policies_of(await reader.list("OptimizationPolicy", namespace))
    found = {Key("OptimizationPolicy", namespace, run.spec.policy_ref.name)}
    if agent := agent_of_run(run, policies):
        found |= await _around_agents(reader, namespace, {agent}, policies=False)
    return found


async def _around_agents(
    reader: Reader, namespace: str, names: set[str], *, policies: bool = True, rivals: bool = False
) -> set[Key]:
    """Agents, their open runs, and if wanted their policies and other Agents that name the same pointer."""
    if not names:
        return set()
    known = policies_of(await reader.list("OptimizationPolicy", namespace))
    found = {Key("Agent", namespace, name) for name in names if name}
    found |= _runs(run for run in await _open_runs(reader, namespace) if agent_of_run(run, known) in names)
    if policies:
        found |= _policies(policy for policy in known if policy.spec.agent_ref.name in names)
    if rivals:
        found |= _rivals(agents_of(await reader.list("Agent", namespace)), names)
    return found


def _rivals(agents: list[Agent], names: set[str]) -> set[Key]:
    pointers = {agent.spec.delivery.config_map for agent in agents if agent.name in names}
    return {Key("Agent", agent.namespace, agent.name) for agent in agents if agent.spec.delivery.config_map in pointers}


async def _open_runs(reader: Reader, namespace: str) -> list[Run]:
    return [run for run in runs_of(await reader.list("OptimizationRun", namespace)) if not is_ended(run)]


def _runs(runs: Iterable[Run]) -> set[Key]:
    return {Key("OptimizationRun", run.namespace, run.name) for run in runs}


def _policies(policies: Iterable[Policy]) -> set[Key]:
    return {Key("OptimizationPolicy", policy.namespace, policy.name) for policy in policies}
