"""OptimizationPolicy: who acts on an Agent, when a run starts, and which ended runs are kept.

A run's name is made from what started it (the generation, the due minute), so a run that was created before the
process died is found again. While a run of the policy is under way no other is started: schedules that were missed
collapse to the newest, changes of the spec to the last.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ninefold.api import labels
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import API_VERSION, rfc3339
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.controllers.actions import Action, Create, Delete, Manifest, Plan
from ninefold.controllers.conditions import Verdict, absent, is_true, ready, stalled, true
from ninefold.controllers.names import run_name
from ninefold.controllers.neighbours import policies_on, runs_of_policy
from ninefold.controllers.objects import (
    Agent,
    Policy,
    Run,
    agent_of,
    is_gone,
    owner_reference,
    parse_time,
    policy_of,
)
from ninefold.controllers.outcome import Outcome, finish
from ninefold.controllers.ports import Key, Reader
from ninefold.controllers.runfacts import SUCCEEDED, end_reason, is_ended
from ninefold.controllers.schedule import InvalidSchedule, newest_time, next_time
from ninefold.controllers.settings import OperatorSettings

MANAGER = "ninefold-policy"
POLICY_CONFLICT = "PolicyConflict"


@dataclass(frozen=True)
class PolicySnapshot:
    """All that a plan for a policy looks at. `runs` are those that name this policy, the oldest first."""

    settings: OperatorSettings
    policy: Policy
    acting: Policy
    agent: Agent | None
    backend_exists: bool
    runs: tuple[Run, ...] = ()


async def gather(reader: Reader, key: Key, settings: OperatorSettings) -> PolicySnapshot | None:
    """The snapshot, or None when the policy is gone (garbage collection takes the runs that it created)."""
    manifest = await reader.get(key.kind, key.namespace, key.name)
    if manifest is None or is_gone(manifest):
        return None
    policy = policy_of(manifest)
    found = await reader.get("Agent", key.namespace, policy.spec.agent_ref.name)
    agent = agent_of(found) if found is not None and not is_gone(found) else None
    backend = agent and await reader.get("TraceBackend", key.namespace, agent.spec.traces.backend_ref.name)
    mine = await runs_of_policy(reader, key.namespace, policy.name)
    rivals = await policies_on(reader, key.namespace, policy.spec.agent_ref.name)
    return PolicySnapshot(settings, policy, (*rivals, policy)[0], agent, bool(backend), tuple(mine))


def plan(snapshot: PolicySnapshot | None, now: datetime) -> Plan:
    """The first step that has something to say decides; the record of runs is kept whatever it says."""
    if snapshot is None:
        return Plan()
    steps = (
        _conflict,  # an older policy acts
        _no_agent,
        _no_backend,
        _bad_schedule,
        _suspended,
        _apply_due,  # the spec is new or has changed
        _schedule_due,
    )
    outcome = next((found for step in steps if (found := step(snapshot, now))), None) or _settled(snapshot, now)
    status = {**_record(snapshot), **(outcome.status or {})}
    outcome = replace(outcome, status=status, after=(*outcome.after, *_pruned(snapshot)))
    return finish(snapshot.policy, outcome, now, MANAGER)


# ---------------------------------------------------------------- what keeps it from acting


def _conflict(s: PolicySnapshot, now: datetime) -> Outcome | None:
    if s.acting.uid == s.policy.uid:
        return None
    message = (
        f"the older policy {s.acting.name} acts on the Agent {s.policy.spec.agent_ref.name}: delete one of the two"
    )
    return Outcome((true(POLICY_CONFLICT, POLICY_CONFLICT, message), *stalled(POLICY_CONFLICT, message)), _NOT_DUE)


def _no_agent(s: PolicySnapshot, now: datetime) -> Outcome | None:
    if s.agent is not None:
        return None
    return _stalled("AgentNotFound", f"there is no Agent {s.policy.spec.agent_ref.name} in this namespace: create it")


def _no_backend(s: PolicySnapshot, now: datetime) -> Outcome | None:
    assert s.agent is not None
    if s.backend_exists:
        return None
    return _stalled(
        "TraceBackendNotFound",
        f"the Agent {s.agent.name} names the TraceBackend {s.agent.spec.traces.backend_ref.name}, "
        "which is not in this namespace: create it",
    )


def _bad_schedule(s: PolicySnapshot, now: datetime) -> Outcome | None:
    schedule = s.policy.spec.trigger.schedule
    if schedule is None:
        return None
    try:
        next_time(schedule, now)
    except InvalidSchedule as invalid:
        return _stalled("InvalidSchedule", str(invalid))
    return None


def _stalled(reason: str, message: str) -> Outcome:
    return Outcome((absent(POLICY_CONFLICT), *stalled(reason, message)), _NOT_DUE)


_NOT_DUE: dict[str, Any] = {"next_run_time": None}
"""What was due while the policy could not act is not made up for."""


def _suspended(s: PolicySnapshot, now: datetime) -> Outcome | None:
    if not s.policy.spec.suspend:
        return None
    verdicts = ready("Suspended", "spec.suspend is true: no new runs; a run under way goes on")
    return Outcome((absent(POLICY_CONFLICT), *verdicts), _NOT_DUE)


# ---------------------------------------------------------------- what starts a run


def spec_hash(spec: OptimizationPolicySpec) -> str:
    """Over what changes a run's result. Defaults are left out, so that a release with new fields starts no runs."""
    plain = spec.model_dump(mode="json", exclude_defaults=True)
    for name in ("approval", "history", "suspend", "trigger"):
        plain.pop(name, None)
    return sha256(canonical(plain))[:16]


def _apply_due(s: PolicySnapshot, now: datetime) -> Outcome | None:
    policy, applied = s.policy, spec_hash(s.policy.spec)
    if not policy.spec.trigger.on_apply or policy.status.applied_hash == applied:
        return None
    record = {"applied_generation": policy.generation, "applied_hash": applied}
    return _start(s, f"g{policy.generation}", record, now)


def _schedule_due(s: PolicySnapshot, now: datetime) -> Outcome | None:
    schedule, promised = s.policy.spec.trigger.schedule, s.policy.status.next_run_time
    if schedule is None or promised is None or parse_time(promised) > now:
        return None
    due = newest_time(schedule, now)
    if due < parse_time(promised):
        return None  # the schedule was changed since; the promise was of the old one
    return _start(s, due.strftime("%Y%m%d%H%M"), {}, now)


def _start(s: PolicySnapshot, cause: str, record: dict[str, Any], now: datetime) -> Outcome | None:
    """Create the run for a cause, or only note that it was created; None while another run is under way."""
    manifest = _new_run(s, cause)
    created = any(run.name == manifest["metadata"]["name"] for run in s.runs)
    if not created and any(not is_ended(run) for run in s.runs):
        return None
    first = () if created else (Create(manifest),)
    status = {**record, "next_run_time": _next(s, now)}
    return Outcome(_healthy(s), status, first=first, again_at=_look_again(s, now))


def _settled(s: PolicySnapshot, now: datetime) -> Outcome:
    promised = s.policy.status.next_run_time
    schedule, busy = s.policy.spec.trigger.schedule, any(not is_ended(run) for run in s.runs)
    if busy and schedule is not None and promised is not None and parse_time(promised) <= newest_time(schedule, now):
        return Outcome(_healthy(s), again_at=_look_again(s, now))  # due: the end of that run wakes this policy
    return Outcome(_healthy(s), {"next_run_time": _next(s, now)}, again_at=_look_again(s, now))


def _look_again(s: PolicySnapshot, now: datetime) -> datetime | None:
    schedule = s.policy.spec.trigger.schedule
    return next_time(schedule, now) if schedule is not None else None


def _next(s: PolicySnapshot, now: datetime) -> str | None:
    again = _look_again(s, now)
    return rfc3339(again) if again is not None else None


def _healthy(s: PolicySnapshot) -> tuple[Verdict, ...]:
    assert s.agent is not None
    if s.agent.spec.replay is None:
        verdicts = ready(
            "AnalysisOnly",
            f"the Agent {s.agent.name} has no spec.replay: runs end after the proposals, for nothing can be proved",
        )
    else:
        verdicts = ready("Active", f"acts on the Agent {s.agent.name}, mode {s.policy.spec.mode}")
    return (absent(POLICY_CONFLICT), *verdicts)


def _new_run(s: PolicySnapshot, cause: str) -> Manifest:
    """The run for a cause. A namesake that is not ours (left by an earlier policy, or a user's) is stepped around."""
    name = run_name(s.policy.name, cause)
    if any(run.name == name and not _created_by(s.policy, run) for run in s.runs):
        name = run_name(s.policy.name, f"{cause}-{sha256(s.policy.uid.encode())[:4]}")
    return {
        "apiVersion": API_VERSION,
        "kind": "OptimizationRun",
        "metadata": {
            "name": name,
            "namespace": s.policy.namespace,
            "labels": {
                labels.POLICY: s.policy.name,
                labels.AGENT: s.policy.spec.agent_ref.name,
                labels.MANAGED_BY: labels.MANAGER,
            },
            "ownerReferences": [owner_reference(s.policy.ref)],
        },
        "spec": {"policyRef": {"name": s.policy.name}},
    }


# ---------------------------------------------------------------- the record of runs


def _created_by(policy: Policy, run: Run) -> bool:
    return run.labels.get(labels.POLICY) == policy.name and any(o.get("uid") == policy.uid for o in run.owners)


def _record(s: PolicySnapshot) -> dict[str, Any]:
    if not s.runs:
        return {}
    ended = [reason for run in s.runs if (reason := end_reason(run))]
    return {
        "last_run": s.runs[-1].name,
        "last_run_time": rfc3339(s.runs[-1].created),
        "last_result": ended[-1] if ended else s.policy.status.last_result,
    }


def _pruned(s: PolicySnapshot) -> tuple[Action, ...]:
    """Ended runs beyond spec.history, the oldest first; never one that a user or Git created."""
    ours = [run for run in s.runs if is_ended(run) and _created_by(s.policy, run)]
    good = [run for run in ours if is_true(run.status.conditions, SUCCEEDED)]
    other = [run for run in ours if run not in good]
    history = s.policy.spec.history
    surplus = good[: max(0, len(good) - history.successful)] + other[: max(0, len(other) - history.other)]
    return tuple(Delete(run.ref) for run in surplus)
