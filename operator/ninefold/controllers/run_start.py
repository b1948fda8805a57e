"""Before a run starts: who must be there, whose turn it is, and the inputs, resolved once.

Until the inputs are written everything heals by itself: a policy, Agent or backend that is made later is found. After
that the run stands on its inputs alone, so whatever changes around it, all its stages see one world.
"""

from collections.abc import Mapping
from datetime import datetime

from ninefold.api import labels
from ninefold.api.agent import Component
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import parse_duration, rfc3339
from ninefold.api.inputs import GainRecord, RunInputs
from ninefold.controllers.actions import Action, Create, Delete
from ninefold.controllers.conditions import STALLED, Verdict, find, is_true, reconciling, stalled
from ninefold.controllers.jobs import host_path_refusal, inputs_configmap
from ninefold.controllers.objects import Agent, ref_of
from ninefold.controllers.outcome import Outcome
from ninefold.controllers.run_end import fail
from ninefold.controllers.run_snapshot import RunSnapshot, inputs_name
from ninefold.versions import TamperedVersion, Version, adopt, content_hash, read_ledger


def _started(s: RunSnapshot) -> bool:
    return s.run.status.inputs_hash is not None


def _wait(verdicts: tuple[Verdict, ...]) -> Outcome:
    """Not started yet; it heals by itself when what is missing comes."""
    return Outcome(verdicts, {"phase": "Pending"})


def policy_missing(s: RunSnapshot, now: datetime) -> Outcome | None:
    if _started(s) or s.policy is not None:
        return None
    name = s.run.spec.policy_ref.name
    return _wait(stalled("PolicyNotFound", f"there is no OptimizationPolicy {name} in this namespace: create it"))


def agent_missing(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Before the start it may still come; after it, the one that the run is about is gone."""
    inputs = s.inputs.value if s.inputs is not None else None
    if not _started(s):
        if s.agent is not None or s.policy is None:
            return None
        name = s.policy.spec.agent_ref.name
        return _wait(stalled("AgentNotFound", f"there is no Agent {name} in this namespace: create it"))
    if s.agent is None:
        return fail(s, now, "AgentNotFound", f"the Agent {s.run.status.agent} was deleted")
    if inputs is not None and inputs.agent_uid != s.agent.uid:
        message = f"the Agent {s.agent.name} was deleted, and another one made under its name"
        return fail(s, now, "AgentNotFound", message)
    return None


def not_acting(s: RunSnapshot, now: datetime) -> Outcome | None:
    if _started(s) or s.policy is None or s.acting is None or s.acting.uid == s.policy.uid:
        return None
    message = f"the older policy {s.acting.name} acts on the Agent {s.policy.spec.agent_ref.name}: name that one"
    return _wait(stalled("PolicyConflict", message))


def backend_missing(s: RunSnapshot, now: datetime) -> Outcome | None:
    if _started(s) or s.agent is None or s.backend is not None:
        return None
    name = s.agent.spec.traces.backend_ref.name
    message = f"the Agent {s.agent.name} names the TraceBackend {name}, which is not in this namespace: create it"
    return _wait(stalled("TraceBackendNotFound", message))


def queued(s: RunSnapshot, now: datetime) -> Outcome | None:
    if _started(s) or s.ahead is None:
        return None
    message = f"the run {s.ahead} on the same Agent goes first; set its spec.cancel to true to go on without it"
    return Outcome(reconciling("Queued", message), {"phase": "Queued"})


def agent_not_ready(s: RunSnapshot, now: datetime) -> Outcome | None:
    """It must serve something that candidates can extend."""
    if _started(s) or s.agent is None:
        return None
    stuck = find(s.agent.status.conditions, STALLED)
    if stuck is not None:
        return _wait(stalled("AgentNotReady", f"the Agent {s.agent.name} is stalled: {stuck.message}"))
    if _stable(s, s.agent) is None:
        return _wait(reconciling("AgentNotReady", f"the Agent {s.agent.name} serves no version yet"))
    return None


def backend_not_ready(s: RunSnapshot, now: datetime) -> Outcome | None:
    if _started(s) or s.backend is None or is_true(s.backend.status.conditions, "Ready"):
        return None
    stuck = find(s.backend.status.conditions, STALLED)
    if stuck is not None:
        message = f"the TraceBackend {s.backend.name} is stalled: {stuck.message}"
        return _wait(stalled("TraceBackendNotReady", message))
    return _wait(reconciling("TraceBackendNotReady", f"the TraceBackend {s.backend.name} has not been probed yet"))


def _stable(s: RunSnapshot, agent: Agent) -> Version | None:
    """The version that is served, when its ConfigMap can be believed."""
    return _known(s, agent).get(agent.status.stable_version or "")


def _known(s: RunSnapshot, agent: Agent) -> Mapping[str, Version]:
    try:
        return adopt(s.versions, read_ledger(s.ledger), agent.name).versions
    except TamperedVersion:
        return {}  # the Agent's own condition says so


def resolve(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Write the inputs, or take up those that were written before the process died."""
    if _started(s):
        return None
    assert s.agent is not None, "steps before this one see to it"
    stable = _stable(s, s.agent)
    assert stable is not None, "steps before this one see to it"
    if s.inputs is None:
        inputs = _inputs(s, now, stable)
        marks = {labels.RUN: s.run.name, labels.AGENT: s.agent.name}
        manifest = inputs_configmap(inputs_name(s.run), s.run.ref, marks, inputs)
        return _start(s, inputs, sha256(canonical(inputs.wire())), stable, first=(Create(manifest),))
    if s.inputs.ours and s.inputs.value is not None:
        same = [v for v in _known(s, s.agent).values() if v.hash == content_hash(s.inputs.value.baseline)]
        extended = max(same, key=lambda version: version.number, default=stable)
        return _start(s, s.inputs.value, s.inputs.hash, extended)
    if s.inputs.ours:  # left by a namesake of this run
        remove = Delete(ref_of(s.inputs.manifest))
        return Outcome(reconciling("Started", "replaces the inputs of an earlier run"), first=(remove,), again_at=now)
    name = inputs_name(s.run)
    return Outcome(stalled("InputsNotOwned", f"the ConfigMap {name} exists and is not this run's: delete it"))


def _start(s: RunSnapshot, inputs: RunInputs, digest: str, stable: Version, first: tuple[Action, ...] = ()) -> Outcome:
    status = {
        "agent": inputs.agent_name,
        "job_image": inputs.policy.jobs.image or s.settings.job_image,
        "inputs_hash": digest,
        "baseline_version": stable.name,
        "start_time": inputs.window_end,
        "phase": "Started",
    }
    return Outcome(reconciling("Started", f"extends {stable.name}"), status, first=first)


def _inputs(s: RunSnapshot, now: datetime, stable: Version) -> RunInputs:
    """All that was resolved. The Agent's texts stand in the baseline, once."""
    assert s.agent is not None and s.policy is not None and s.backend is not None, "steps before this one see to it"
    names = [Component(name=component.name) for component in s.agent.spec.components]
    return RunInputs(
        run=s.run.name,
        run_uid=s.run.uid,
        namespace=s.run.namespace,
        agent_name=s.agent.name,
        agent_uid=s.agent.uid,
        agent=s.agent.spec.model_copy(update={"components": names, "edits": []}),
        policy=s.policy.spec,
        backend=s.backend.spec,
        baseline=stable.content,
        window_start=rfc3339(now - parse_duration(s.policy.spec.traces.window)),
        window_end=rfc3339(now),
        sealed_since=_sealed_since(s),
        gains=_gains(s),
    )


def _sealed_since(s: RunSnapshot) -> str | None:
    try:
        return read_ledger(s.ledger).last_opened()
    except TamperedVersion:
        return None  # the Agent's own condition says so


def _gains(s: RunSnapshot) -> list[GainRecord]:
    try:
        return read_ledger(s.ledger).gains
    except TamperedVersion:
        return []  # the Agent's own condition says so


def inputs_changed(s: RunSnapshot, now: datetime) -> Outcome | None:
    """All stages must see one world."""
    if not _started(s):
        return None
    name = inputs_name(s.run)
    if s.inputs is None:
        return fail(
            s, now, "InputsGone", f"the ConfigMap {name} was deleted while the run needed it: start another run"
        )
    if s.inputs.value is None or s.inputs.hash != s.run.status.inputs_hash:
        message = f"the ConfigMap {name} does not hold what the run started with ({s.run.status.inputs_hash}); refused"
        return fail(s, now, "InputsTampered", message)
    return None


def host_path_refused(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The operator may have been started anew without the permission."""
    if s.inputs is None or s.inputs.value is None or s.stage is None or s.stage.stage != "analyze":
        return None
    sentence = host_path_refusal(s.inputs.value.backend, s.settings)
    return Outcome(stalled("HostPathNotAllowed", sentence)) if sentence is not None else None
