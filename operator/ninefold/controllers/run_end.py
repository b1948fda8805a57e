"""How a run ends, and what it does on the last stretch: approval, the wait for the Agent, the end.

`Succeeded` is set once, at the end, and nothing is written to an ended run. Its reasons are Promoted and Suggested
(True), NotImproved (False, and still a normal end: `Ready` is True), Inconclusive, Superseded, Cancelled and Failed.
"""

from datetime import datetime
from typing import Any, Literal

from ninefold.api.base import rfc3339
from ninefold.api.policy import Approval
from ninefold.controllers import jobstate
from ninefold.controllers.actions import Action, Delete
from ninefold.controllers.conditions import (
    STALLED,
    Verdict,
    ended,
    false,
    find,
    is_true,
    ready,
    reconciling,
    stalled,
    true,
)
from ninefold.controllers.delivery import deliverable, is_read
from ninefold.controllers.objects import ref_of
from ninefold.controllers.outcome import Outcome
from ninefold.controllers.run_snapshot import RunSnapshot
from ninefold.controllers.runfacts import APPROVED, REPLAY_PASSED, ROLLED_OUT, SUCCEEDED, is_ended
from ninefold.versions import TamperedVersion, Version, configmap_name, from_configmap, read_ledger

End = Literal["Promoted", "Suggested", "NotImproved", "Inconclusive", "Superseded", "Cancelled"]


def end(
    s: RunSnapshot,
    now: datetime,
    reason: End,
    message: str,
    *,
    verdicts: tuple[Verdict, ...] = (),
    status: dict[str, Any] | None = None,
    first: tuple[Action, ...] = (),
) -> Outcome:
    """The run ends, for a reason that is nobody's fault."""
    good = reason in ("Promoted", "Suggested")
    succeeded = true(SUCCEEDED, reason, message) if good else false(SUCCEEDED, reason, message)
    close = ready if good or reason == "NotImproved" else ended
    return Outcome(
        (*verdicts, succeeded, *close(reason, message)),
        {**(status or {}), "phase": reason, "completion_time": rfc3339(now)},
        first=first,
        after=_unfinished(s),
    )


def fail(s: RunSnapshot, now: datetime, reason: str, message: str, *, verdicts: tuple[Verdict, ...] = ()) -> Outcome:
    """The run ends because something is wrong that a user must look at; another run is needed after that."""
    return Outcome(
        (*verdicts, false(SUCCEEDED, "Failed", f"{reason}: {message}"), *stalled(reason, message)),
        {"phase": "Failed", "completion_time": rfc3339(now)},
        after=_unfinished(s),
    )


def _unfinished(s: RunSnapshot) -> tuple[Action, ...]:
    """Jobs of this run that are still at work."""
    return tuple(Delete(ref_of(job)) for job in s.jobs if not jobstate.is_ended(job))


# ---------------------------------------------------------------- steps


def over(s: RunSnapshot, now: datetime) -> Outcome | None:
    """An ended run is not written again; a Job that was seen too late still goes."""
    return Outcome(after=_unfinished(s)) if is_ended(s.run) else None


def rolled_out(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The Agent serves the approved version."""
    version = _candidate_name(s)
    if version is None or s.agent is None or not is_true(s.run.status.conditions, APPROVED):
        return None
    if not is_read(s.agent, version):
        return None
    message = f"{version} is the stable version of the Agent {s.agent.name}"
    passed = find(s.run.status.conditions, REPLAY_PASSED)
    proof = f": {passed.message}" if passed is not None else ""
    return end(s, now, "Promoted", f"{message}{proof}", verdicts=(true(ROLLED_OUT, ROLLED_OUT, message),))


def cancelled(s: RunSnapshot, now: datetime) -> Outcome | None:
    """`spec.cancel` is true, and the Agent has not begun to promote."""
    if not s.run.spec.cancel or _is_promoting(s):
        return None
    return end(s, now, "Cancelled", "spec.cancel is true: its Jobs were ended and nothing was changed")


def _is_promoting(s: RunSnapshot) -> bool:
    """The ledger names the approved version already; labels and pointer follow."""
    version = _candidate_name(s)
    if version is None or not is_true(s.run.status.conditions, APPROVED):
        return False
    try:
        return read_ledger(s.ledger).stable == version
    except TamperedVersion:
        return False


def superseded(s: RunSnapshot, now: datetime) -> Outcome | None:
    """What the candidates extend is no longer what is served, so a proof would be about something else."""
    agent, started_from = s.agent, s.run.status.baseline_version
    if agent is None or started_from is None or agent.spec.version is not None:
        return None
    served = agent.status.stable_version
    if agent.status.observed_generation != agent.generation or served in (None, started_from, _candidate_name(s)):
        return None
    message = f"the run extends {started_from}, and {served} is served now: start another run"
    return end(s, now, "Superseded", message)


def candidate_barred(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The proved version may not, or cannot, be served any more."""
    candidate = s.run.status.candidate
    if _candidate_name(s) is None or candidate is None or s.agent is None:
        return None
    try:
        version = _candidate_version(s)
        quarantine = {*s.agent.spec.quarantine, *read_ledger(s.ledger).quarantine}
    except TamperedVersion as tampered:
        return fail(s, now, "TamperedVersion", str(tampered))
    if version is None:
        name = configmap_name(s.agent.name, _candidate_name(s) or "")
        return fail(s, now, "VersionGone", f"the ConfigMap {name} of the proved version was deleted: start another run")
    if candidate.hash in quarantine:
        return end(s, now, "Superseded", f"{version.name} was quarantined before it was promoted")
    if (problem := deliverable(version, s.agent)) is not None:
        return end(s, now, "Superseded", f"{version.name} cannot be delivered any more: {problem}")
    return None


def approve(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Nobody is asked, somebody has approved, or the run waits."""
    candidate = s.run.status.candidate
    if _candidate_name(s) is None or candidate is None or is_true(s.run.status.conditions, APPROVED):
        return None
    verdict = _approval(s, candidate.hash)
    if verdict.status == "True":
        waiting = f"the Agent takes {candidate.version} up"
        verdicts = (verdict, false(ROLLED_OUT, "Waiting", waiting), *reconciling("RollingOut", waiting))
        return Outcome(verdicts, {"phase": "RollingOut"})
    return Outcome((verdict, *reconciling(verdict.reason, verdict.message)), {"phase": "WaitingForApproval"})


def _approval(s: RunSnapshot, proved: str) -> Verdict:
    """Consent is asked as the policy has it now; where the policy is gone, as it had it when the run started."""
    given = s.run.spec.approval
    approval = _approval_of(s)
    if not approval.required:
        return true(APPROVED, "NotRequired", "the policy's approval.required is false")
    if given == proved:
        return true(APPROVED, "ApprovedInRun", f"spec.approval of the run is {proved}")
    if proved in approval.versions:
        return true(APPROVED, "ApprovedInPolicy", f"spec.approval.versions of the policy names {proved}")
    in_git = f"add {proved} to spec.approval.versions of the policy {s.run.spec.policy_ref.name}"
    if given is not None:
        message = f"spec.approval is {given}, but the proved version has the hash {proved}: {in_git}"
        return false(APPROVED, "WrongHash", message)
    patch = f'kubectl patch nfr {s.run.name} --type merge -p \'{{"spec":{{"approval":"{proved}"}}}}\''
    return false(APPROVED, "WaitingForApproval", f"{patch}, or {in_git}")


def _approval_of(s: RunSnapshot) -> Approval:
    if s.policy is not None:
        return s.policy.spec.approval
    assert s.inputs is not None and s.inputs.value is not None, "steps before this one see to it"
    return s.inputs.value.policy.approval


def roll_out(s: RunSnapshot, now: datetime) -> Outcome | None:
    """Approved: the Agent's controller promotes; this run watches, and says what is in the way."""
    name = _candidate_name(s)
    if name is None or s.agent is None:
        return None
    pin, stuck = s.agent.spec.version, find(s.agent.status.conditions, STALLED)
    if pin is not None and pin != name:
        message = f"spec.version of the Agent pins {pin}: remove the pin, or pin {name}"
        return Outcome((false(ROLLED_OUT, "Pinned", message), *reconciling("Pinned", message)))
    if stuck is not None:
        message = f"the Agent {s.agent.name} is stalled: {stuck.message}"
        return Outcome((false(ROLLED_OUT, "AgentStalled", message), *reconciling("AgentStalled", message)))
    waiting = f"the Agent takes {name} up"
    if s.agent.status.stable_version == name:
        waiting = f"{name} is the stable version of the Agent {s.agent.name}, and on its way to Langfuse"
    return Outcome((false(ROLLED_OUT, "Waiting", waiting), *reconciling("RollingOut", waiting)))


def _candidate_name(s: RunSnapshot) -> str | None:
    """The proved version, once the gate is passed."""
    candidate = s.run.status.candidate
    if candidate is None or not is_true(s.run.status.conditions, REPLAY_PASSED):
        return None
    return candidate.version


def _candidate_version(s: RunSnapshot) -> Version | None:
    """The proved version from its ConfigMap. Raises TamperedVersion."""
    assert s.agent is not None
    wanted = configmap_name(s.agent.name, _candidate_name(s) or "")
    manifest = next((m for m in s.versions if m["metadata"]["name"] == wanted), None)
    return from_configmap(manifest) if manifest is not None else None
