"""Which keys must be looked at when an object has changed: the object's own, and those whose plans look at it.

Plans read more than their own object (a run reads its Agent, a policy its runs), so a change has to reach them. What
is missed here is found by the resync, ten minutes later; so this is about speed, never about being right.
"""

from collections.abc import Iterable

from ninefold.api import labels
from ninefold.api.base import API_VERSION
from ninefold.controllers.actions import Manifest
from ninefold.controllers.neighbours import (
    agent_of_run,
    agents_on,
    agents_with_pointer,
    policies_on,
    runs_of_policy,
    runs_on,
)
from ninefold.controllers.objects import Run, field_of, runs_of
from ninefold.controllers.ports import AGENT_OF_POLICY, POINTER_OF_AGENT, Key, Reader
from ninefold.controllers.runfacts import is_ended


async def affected(reader: Reader, manifest: Manifest) -> set[Key]:
    """Keys to enqueue for an object that was added, changed or deleted, as last seen."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    if kind in ("Job", "ConfigMap"):
        marks = metadata.get("labels") or {}
        found = _owners(manifest)
        if kind == "ConfigMap" and marks.get(labels.ROLE) in ("version", "pointer", "ledger"):
            found |= await _agent_and_runs(reader, namespace, marks.get(labels.AGENT, ""))
        return found
    found = {Key(kind, namespace, name)}
    if kind == "Agent":
        found |= await _around_agent(reader, namespace, name)
        pointer = field_of(manifest, POINTER_OF_AGENT) or ""
        found |= {Key("Agent", namespace, a.name) for a in await agents_with_pointer(reader, namespace, pointer)}
    elif kind == "TraceBackend":
        for agent in await agents_on(reader, namespace, name):
            found |= await _around_agent(reader, namespace, agent.name)
    elif kind == "OptimizationPolicy":
        found |= await _around_agent(reader, namespace, field_of(manifest, AGENT_OF_POLICY) or "")
        found |= _open(await runs_of_policy(reader, namespace, name))
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
    found: set[Key] = set()
    for run in runs_of([manifest]):
        found.add(Key("OptimizationPolicy", namespace, run.spec.policy_ref.name))
        found |= await _agent_and_runs(reader, namespace, await agent_of_run(reader, run) or "")
    return found


async def _around_agent(reader: Reader, namespace: str, name: str) -> set[Key]:
    """An Agent, its open runs and its policies."""
    policies = await policies_on(reader, namespace, name)
    there = {Key("OptimizationPolicy", namespace, policy.name) for policy in policies}
    return there | await _agent_and_runs(reader, namespace, name)


async def _agent_and_runs(reader: Reader, namespace: str, name: str) -> set[Key]:
    if not name:
        return set()
    return {Key("Agent", namespace, name)} | _open(await runs_on(reader, namespace, name))


def _open(runs: Iterable[Run]) -> set[Key]:
    return {Key("OptimizationRun", run.namespace, run.name) for run in runs if not is_ended(run)}
