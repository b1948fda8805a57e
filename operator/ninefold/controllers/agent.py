"""Agent: its versions, what is stable, and the pointer ConfigMap that live pods read.

The whole of it is one comparison of what should be there (`delivery`) with what is. Where something must be mended by
a user first, nothing is written but the condition: live pods go on reading what they read.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ninefold.api import labels
from ninefold.api.inputs import VersionContent
from ninefold.controllers.actions import Plan
from ninefold.controllers.agent_conditions import served_conditions
from ninefold.controllers.conditions import Verdict, absent, is_true, ready, stalled, true
from ninefold.controllers.delivery import ConfigMaps, decide, writes
from ninefold.controllers.neighbours import policies_on, runs_on
from ninefold.controllers.objects import (
    Agent,
    Policy,
    Run,
    agent_of,
    agents_of,
    has_labels,
    is_gone,
)
from ninefold.controllers.outcome import Outcome, finish
from ninefold.controllers.policy import POLICY_CONFLICT
from ninefold.controllers.ports import POINTER_OF_AGENT, Key, Reader
from ninefold.controllers.prompt_snapshot import PromptsSnapshot, gather_prompts
from ninefold.controllers.prompts import with_prompts
from ninefold.controllers.runfacts import TRACES_ANALYZED
from ninefold.controllers.settings import OperatorSettings
from ninefold.controllers.standing import plateaued
from ninefold.versions import Version, VersionError, ledger_name, pointer_problem, served_version

MANAGER = "ninefold-agent"
TAMPERED = "TamperedVersion"
LOOK_AT_COMPONENTS = timedelta(minutes=1)
"""ConfigMaps that Git owns are not watched (a cluster holds too many), so they are read this often."""


@dataclass(frozen=True)
class AgentSnapshot:
    """All that a plan for an Agent looks at. `runs` are those on this Agent, the oldest first."""

    settings: OperatorSettings
    agent: Agent
    components: dict[str, str]
    there: ConfigMaps
    missing: tuple[str, ...] = ()
    """A sentence for each component whose text cannot be found."""
    older_rival: str | None = None
    """An older Agent that names the same pointer ConfigMap."""
    runs: tuple[Run, ...] = ()
    policies: tuple[Policy, ...] = ()
    prompts: PromptsSnapshot | None = None
    """What is known of the delivery to Langfuse; None: the spec does not ask for it and never did."""


async def gather(reader: Reader, key: Key, settings: OperatorSettings) -> AgentSnapshot | None:
    """The snapshot, or None when the Agent is gone (owner references carry out its deletionPolicy)."""
    manifest = await reader.get(key.kind, key.namespace, key.name)
    if manifest is None or is_gone(manifest):
        return None
    agent = agent_of(manifest)
    components, missing = await _resolve_components(reader, agent)
    snapshot = AgentSnapshot(
        settings,
        agent,
        components,
        await _config_maps(reader, agent),
        missing,
        await _older_rival(reader, agent),
        tuple(await runs_on(reader, key.namespace, agent.name)),
        tuple(await policies_on(reader, key.namespace, agent.name)),
    )
    # Which Job to look for depends on what is to be served, so that is decided once more before it.
    version = _to_be_served(snapshot) if agent.spec.delivery.langfuse_prompt is not None else None
    return replace(snapshot, prompts=await gather_prompts(reader, agent, version, settings))


def _to_be_served(s: AgentSnapshot) -> Version | None:
    """The version that this plan will serve; None where it will hold, or stall."""
    if any(step(s) is not None for step in _IN_THE_WAY):
        return None
    try:
        return decide(s.agent, _baseline(s), s.there, s.runs).version
    except VersionError:
        return None


async def _resolve_components(reader: Reader, agent: Agent) -> tuple[dict[str, str], tuple[str, ...]]:
    texts: dict[str, str] = {}
    missing: list[str] = []
    for component in agent.spec.components:
        ref = component.config_map_key_ref
        if ref is None:
            texts[component.name] = component.text or ""
            continue
        config_map = await reader.get("ConfigMap", agent.namespace, ref.name)
        text = ((config_map or {}).get("data") or {}).get(ref.key)
        if text is None:
            what = f"has no key {ref.key}" if config_map else "is not in this namespace"
            missing.append(f"component {component.name}: the ConfigMap {ref.name} {what}")
        else:
            texts[component.name] = text
    return texts, tuple(missing)


async def _config_maps(reader: Reader, agent: Agent) -> ConfigMaps:
    mine = {labels.AGENT: agent.name, labels.ROLE: "version"}
    return ConfigMaps(
        tuple(await reader.list("ConfigMap", agent.namespace, mine)),
        await reader.get("ConfigMap", agent.namespace, ledger_name(agent.name)),
        await reader.get("ConfigMap", agent.namespace, agent.spec.delivery.config_map),
    )


async def _older_rival(reader: Reader, agent: Agent) -> str | None:
    pointer = agent.spec.delivery.config_map
    there = await reader.list("Agent", agent.namespace, fields={POINTER_OF_AGENT: pointer})
    same = agents_of(manifest for manifest in there if not is_gone(manifest))
    oldest = min(same, key=lambda other: other.age, default=agent)
    return None if oldest.uid == agent.uid else oldest.name


def plan(snapshot: AgentSnapshot | None, now: datetime) -> Plan:
    """The first step that has something to say decides; what runs and policies tell is kept up whatever it says."""
    if snapshot is None:
        return Plan()
    outcome = next((found for step in _IN_THE_WAY if (found := step(snapshot))), None) or _deliver(snapshot)
    if snapshot.prompts is not None:
        outcome = with_prompts(outcome, snapshot.prompts, now)
    moments = [outcome.again_at, now + LOOK_AT_COMPONENTS if _has_references(snapshot.agent) else None]
    again_at = min((moment for moment in moments if moment is not None), default=None)
    record = _record(snapshot)
    trend = plateaued(record.get("standing", snapshot.agent.status.standing))
    outcome = replace(
        outcome,
        verdicts=(*outcome.verdicts, _policy_conflict(snapshot), trend),
        status={**record, **(outcome.status or {})},
        again_at=again_at,
    )
    return finish(snapshot.agent, outcome, now, MANAGER)


def _has_references(agent: Agent) -> bool:
    return any(component.config_map_key_ref for component in agent.spec.components)


# ---------------------------------------------------------------- steps


def _component_missing(s: AgentSnapshot) -> Outcome | None:
    if not s.missing:
        return None
    return Outcome(stalled("ComponentNotFound", f"{'; '.join(s.missing)}: create it, or give the text inline"))


def _ledger_not_ours(s: AgentSnapshot) -> Outcome | None:
    ledger = s.there.ledger
    if ledger is None or has_labels(ledger, {labels.ROLE: "ledger", labels.AGENT: s.agent.name}):
        return None
    return Outcome(
        stalled(
            "LedgerNotOwned",
            f"ConfigMap {ledger['metadata']['name']} exists and is not this Agent's ledger; it is left untouched: "
            "delete it, or rename the Agent",
        )
    )


def _pointer_not_ours(s: AgentSnapshot) -> Outcome | None:
    sentence = pointer_problem(s.there.pointer, s.agent.name)
    if sentence is None and s.there.pointer is None and s.older_rival is not None:
        sentence = (
            f"the older Agent {s.older_rival} names the same ConfigMap {s.agent.spec.delivery.config_map}: "
            "name another one in spec.delivery.configMap"
        )
    if sentence is None:
        return None
    return Outcome(stalled("PointerNotOwned", sentence), {"stable_version": None})


_IN_THE_WAY = (
    _component_missing,  # nothing to serve
    _ledger_not_ours,
    _pointer_not_ours,
)


def _baseline(s: AgentSnapshot) -> VersionContent:
    return VersionContent(components=s.components, edits=s.agent.spec.edits)


def _deliver(s: AgentSnapshot) -> Outcome:
    baseline = _baseline(s)
    try:
        delivery = decide(s.agent, baseline, s.there, s.runs)
        actions = writes(s.agent, delivery, s.there)
    except VersionError as error:
        return Outcome(stalled(error.reason, str(error)))
    serving = delivery.serving
    tell = stalled if serving.problem else ready
    verdicts = [*tell(serving.reason, serving.message), _tampered(delivery.known.refused)]
    served = served_version(s.there.pointer)
    if delivery.version is not None:
        served = delivery.version.name
        verdicts += served_conditions(delivery.version, serving, baseline, s.agent.spec.model.name)
    return Outcome(tuple(verdicts), {"stable_version": served}, first=actions)


# ---------------------------------------------------------------- what is told whatever the step


def _tampered(refused: tuple[str, ...]) -> Verdict:
    return true(TAMPERED, TAMPERED, " ".join(refused)) if refused else absent(TAMPERED)


def _policy_conflict(s: AgentSnapshot) -> Verdict:
    if len(s.policies) < 2:
        return absent(POLICY_CONFLICT)
    acting, *others = (policy.name for policy in s.policies)
    told = ", ".join(others[:10])
    return true(
        POLICY_CONFLICT, POLICY_CONFLICT, f"the oldest policy {acting} acts; {told} must wait: delete all but one"
    )


def _record(s: AgentSnapshot) -> dict[str, Any]:
    """Success and standing as the newest run found them. A run that is pruned takes nothing away."""
    for run in reversed(s.runs):
        if run.status.success is not None and is_true(run.status.conditions, TRACES_ANALYZED):
            told = run.status
            found = {"success": told.success, "standing": told.standing, "losses": told.losses}
            return {**found, "last_analyzed_run": run.name}
    return {}
