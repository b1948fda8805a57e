"""Who is around an object: the policies and runs on an Agent, the Agents on a backend.

These are found by the fields that refer to them (`Reader.list` with `fields`), never by reading a whole namespace:
every change of an object asks for its neighbours, and with 5,000 Agents in a namespace that would be 25 million looks.
"""

from collections.abc import Iterable

from ninefold.controllers.objects import Agent, Policy, Run, agents_of, policies_of, runs_of
from ninefold.controllers.ports import (
    AGENT_OF_POLICY,
    AGENT_OF_RUN,
    BACKEND_OF_AGENT,
    POINTER_OF_AGENT,
    POLICY_OF_RUN,
    PROMPTS_OF_AGENT,
    Reader,
)


async def policies_on(reader: Reader, namespace: str, agent: str) -> list[Policy]:
    """The policies on an Agent, the oldest, which acts, first."""
    found = policies_of(await reader.list("OptimizationPolicy", namespace, fields={AGENT_OF_POLICY: agent}))
    return sorted(found, key=lambda policy: policy.age)


async def runs_of_policy(reader: Reader, namespace: str, policy: str) -> list[Run]:
    """The runs that name a policy, the oldest first."""
    return _by_age(runs_of(await reader.list("OptimizationRun", namespace, fields={POLICY_OF_RUN: policy})))


async def runs_on(reader: Reader, namespace: str, agent: str) -> list[Run]:
    """The runs on an Agent, the oldest first: those that noted it, and those that will by what their policy says."""
    noted = runs_of(await reader.list("OptimizationRun", namespace, fields={AGENT_OF_RUN: agent}))
    policies = await policies_on(reader, namespace, agent)
    named = [run for policy in policies for run in await runs_of_policy(reader, namespace, policy.name)]
    return _by_age([*noted, *(run for run in named if run.status.agent is None)])


async def agent_of_run(reader: Reader, run: Run) -> str | None:
    """Name of the Agent: what the run noted when it started, before that what its policy says."""
    if run.status.agent is not None:
        return run.status.agent
    policy = await policy_of_run(reader, run)
    return policy.spec.agent_ref.name if policy is not None else None


async def policy_of_run(reader: Reader, run: Run) -> Policy | None:
    """The policy that a run names, if it exists and can be read."""
    manifest = await reader.get("OptimizationPolicy", run.namespace, run.spec.policy_ref.name)
    return next(iter(policies_of([manifest] if manifest is not None else [])), None)


async def agents_on(reader: Reader, namespace: str, backend: str) -> list[Agent]:
    """The Agents whose traces are in a backend, or whose prompts are delivered to it."""
    traced = await reader.list("Agent", namespace, fields={BACKEND_OF_AGENT: backend})
    delivered = await reader.list("Agent", namespace, fields={PROMPTS_OF_AGENT: backend})
    return agents_of([*traced, *(manifest for manifest in delivered if manifest not in traced)])


async def agents_with_pointer(reader: Reader, namespace: str, pointer: str) -> list[Agent]:
    """The Agents that name this pointer ConfigMap, by name: more than one is a conflict."""
    return agents_of(await reader.list("Agent", namespace, fields={POINTER_OF_AGENT: pointer}))


def _by_age(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.age)
