"""Langfuse prompts of an Agent: a `deliver` Job whenever what they should carry is something else, and now and then to
see that they still do.

What they should carry is hashed (texts, names, labels, host and keys); the status names the hash that the last Job was
told. So the pointer ConfigMap stays the record of what is decided, and Langfuse follows it: at once when it changes,
every six hours to notice a label that somebody has moved, and with growing pauses while it fails. What becomes of it is
the condition `Delivered`; what a user must mend there stalls the Agent too, for its agents read something else than
what is decided, and what runs prove would not reach them.
"""

from datetime import datetime, timedelta
from typing import Any

from ninefold.api import labels
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import rfc3339
from ninefold.api.delivery import DeliveryReport
from ninefold.api.prompts import Delivered, DeliveredPrompt
from ninefold.api.workload import Jobs
from ninefold.controllers.actions import Create
from ninefold.controllers.conditions import (
    RECONCILING,
    STALLED,
    Verdict,
    absent,
    false,
    find,
    is_true,
    reconciling,
    stalled,
    true,
)
from ninefold.controllers.jobs import JobRequest, inputs_configmap, job_manifest, langfuse_keys
from ninefold.controllers.jobstate import PATIENCE, Done, Foreign, Running, is_ended, patient
from ninefold.controllers.objects import parse_time
from ninefold.controllers.outcome import Outcome
from ninefold.controllers.prompt_snapshot import DELIVERED, STAGE, PromptsSnapshot, artifact_of
from ninefold.controllers.turns import failure_of, leftovers

SOON = timedelta(seconds=5)
"""When to look again for pods that are just going."""


def with_prompts(outcome: Outcome, s: PromptsSnapshot, now: datetime) -> Outcome:
    """The Agent's outcome and that of its prompts. The Agent's own trouble comes first, and stays the one told."""
    own = _outcome(s, now)
    stuck = any(verdict.type == STALLED and verdict.status == "True" for verdict in outcome.verdicts)
    verdicts = {verdict.type: verdict for verdict in outcome.verdicts}  # one a type: the last would win, and Ready flip
    verdicts |= {verdict.type: verdict for verdict in own.verdicts if verdict.type == DELIVERED or not stuck}
    moments = [moment for moment in (outcome.again_at, own.again_at) if moment is not None]
    return Outcome(
        tuple(verdicts.values()),
        {**(outcome.status or {}), **(own.status or {})},
        (*outcome.first, *own.first),
        (*outcome.after, *own.after),
        min(moments, default=None),
    )


def _outcome(s: PromptsSnapshot, now: datetime) -> Outcome:
    steps = (
        _not_asked_for,  # any more
        _problem,
        _nothing_to_deliver,
        _name_taken,
        _good,
        _failed,
        _under_way,
        _earlier_still_writes,  # what it was told would come after what is told now
        _due,
    )
    return next((found for step in steps if (found := step(s, now))), None) or _resting(s)


def _not_asked_for(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    if s.agent.spec.delivery.langfuse_prompt is not None:
        return None
    return Outcome((absent(DELIVERED),), {"delivered": None}, after=leftovers(s.jobs, s.inputs, None))


def _problem(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    if s.problem is None:
        return None
    return Outcome((s.problem, *stalled(s.problem.reason, s.problem.message)))


def _nothing_to_deliver(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    return Outcome() if s.target is None else None


def _name_taken(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    if not isinstance(s.state, Foreign):
        return None
    sentence = f"the Job {s.job} exists and is not this Agent's: delete it"
    return Outcome((false(DELIVERED, "JobNotOwned", sentence), *stalled("JobNotOwned", sentence)))


def _good(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    if not isinstance(s.state, Done) or not isinstance(s.report, DeliveryReport):
        return None
    assert s.target is not None, "a step before this one sees to it"
    report = s.report
    delivered = Delivered(
        version=s.target.version, prompts=report.prompts, target=s.target.hash, last_time=rfc3339(s.state.at)
    )
    told = f"{s.target.version} has the label {s.target.inputs.labels[0].label}: {_listed(report.prompts)}"
    return Outcome((true(DELIVERED, DELIVERED, told),), {"delivered": delivered})


def _failed(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    failure = failure_of(s.state, s.report, now)
    if failure is None:
        return None
    assert s.target is not None, "a step before this one sees to it"
    before = s.agent.status.delivered or Delivered(target="", last_time="")
    tried = {"target": s.target.hash, "last_time": rfc3339(failure.at), "failed": (s.last.failed if s.last else 0) + 1}
    status = {"delivered": before.model_copy(update=tried)}
    if not failure.permanent and _is_delivered(s):
        return Outcome(status=status)  # it was right when last seen; a passing trouble does not change that
    tell = stalled if failure.permanent else reconciling
    verdict = false(DELIVERED, failure.reason, failure.message)
    return Outcome((verdict, *tell(failure.reason, failure.message)), status)


def _under_way(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    state = patient(s.state, now)
    if not isinstance(state, Running):
        return None
    after = leftovers(s.jobs, s.inputs, s.job)
    if state.waiting is None:
        return Outcome(_on_the_way(s), after=after, again_at=now + PATIENCE)
    verdict = false(DELIVERED, "PodCannotStart", state.waiting)
    return Outcome((verdict, *stalled("PodCannotStart", state.waiting)), after=after, again_at=now + PATIENCE)


def _earlier_still_writes(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    if s.last is not None:
        return None
    if any(not is_ended(job) for job in s.jobs) or any(_may_write(pod, now) for pod in s.pods):
        return Outcome(_on_the_way(s), after=leftovers(s.jobs, s.inputs, s.job), again_at=now + SOON)
    return None


def _due(s: PromptsSnapshot, now: datetime) -> Outcome | None:
    assert s.target is not None and s.turn is not None and s.job is not None, "a step before this one sees to it"
    if now < s.turn.due:
        return None
    # Named by what it holds, so that what could not change is never changed.
    name = f"{s.agent.name}-{STAGE}-{sha256(canonical([s.agent.uid, s.target.hash]))[:8]}"
    marks = {labels.AGENT: s.agent.name, labels.JOB_STAGE: STAGE}
    request = JobRequest(
        owner=s.agent.ref,
        stage=STAGE,
        attempt=1,
        args=(STAGE,),
        artifact=artifact_of(s.agent, s.turn),
        inputs=name,
        image=s.settings.job_image,
        labels=marks,
        jobs=Jobs(backoff_limit=1),
        deadline=s.settings.probe_deadline,
        secrets=langfuse_keys(s.target.inputs.langfuse),
    )
    first = (
        Create(inputs_configmap(name, s.agent.ref, marks, s.target.inputs)),
        Create(job_manifest(request, s.settings, s.job)),
    )
    return Outcome(_on_the_way(s), first=first)


def _resting(s: PromptsSnapshot) -> Outcome:
    """Until the next turn: what the last one told, still holds."""
    return Outcome(_as_before(s), again_at=s.turn.due if s.turn is not None else None)


# ---------------------------------------------------------------- parts


def _is_delivered(s: PromptsSnapshot) -> bool:
    """The last Job that was told the same found or left it so."""
    return s.last is not None and is_true(s.agent.status.conditions, DELIVERED)


def _may_write(pod: dict[str, Any], now: datetime) -> bool:
    """Not one that has ended, nor one that its node has not confirmed gone for long: a lost node must not hold it."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    gone = pod["metadata"].get("deletionTimestamp")
    return gone is None or now < parse_time(gone) + PATIENCE


def _on_the_way(s: PromptsSnapshot) -> tuple[Verdict, ...]:
    """A repeated look, or try, changes nothing until it has come to something."""
    told = find(s.agent.status.conditions, DELIVERED)
    if s.last is not None and told is not None and told.reason != "PodCannotStart":
        return _as_before(s)
    assert s.target is not None, "a step before this one sees to it"
    message = f"{s.target.version} is on its way to Langfuse"
    return false(DELIVERED, "Delivering", message), *reconciling("Delivering", message)


def _as_before(s: PromptsSnapshot) -> tuple[Verdict, ...]:
    """The Agent's readiness as the condition `Delivered` left it, for everything else has been told anew."""
    conditions = s.agent.status.conditions
    told = find(conditions, DELIVERED)
    if told is None or told.status == "True":
        return ()
    for type_, tell in ((STALLED, stalled), (RECONCILING, reconciling)):
        kept = find(conditions, type_)
        if kept is not None and kept.reason == told.reason:
            return tell(told.reason, told.message)
    return reconciling(told.reason, told.message)


def _listed(prompts: list[DeliveredPrompt]) -> str:
    shown = [f"{prompt.name} version {prompt.version}" for prompt in prompts[:5]]
    return ", ".join(shown) + (f" and {len(prompts) - 5} more" if len(prompts) > 5 else "")
