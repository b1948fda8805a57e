"""The stages of a run as Jobs: start one, wait for it, take its result once, and compute once more what got lost."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ninefold.api import labels
from ninefold.api.agent import AgentSpec, Success
from ninefold.api.artifacts import JobError
from ninefold.api.base import SecretKeyRef
from ninefold.api.engine import ENGINE_PASSWORD
from ninefold.api.graders import Judge
from ninefold.api.replaying import LEAVE
from ninefold.api.run import ArtifactRef, JobStage, StageStatus
from ninefold.controllers.actions import Action, Create
from ninefold.controllers.artifacts import Refused
from ninefold.controllers.conditions import counted, false, reconciling, stalled
from ninefold.controllers.jobs import JobRequest, job_manifest, trace_secrets, volume_of
from ninefold.controllers.jobstate import PATIENCE, Absent, Broken, Done, Foreign, Running, patient
from ninefold.controllers.outcome import Outcome
from ninefold.controllers.run_end import end, fail
from ninefold.controllers.run_snapshot import (
    NEEDS,
    STAGES,
    RunSnapshot,
    StageView,
    inputs_name,
    must_have,
    shards_of,
    stage_status,
)
from ninefold.controllers.runfacts import CANDIDATES_PROPOSED, REPLAYED, TRACES_ANALYZED

ATTEMPTS = 2
"""What is lost is computed once more; lost again, something is wrong with the store."""

PHASE: dict[JobStage, str] = {
    "read": "Reading",
    "analyze": "Analyzing",
    "propose": "Proposing",
    "replay-selection": "Replaying",
    "replay-sealed": "Proving",
}
_CONDITION: dict[JobStage, str] = {
    "read": TRACES_ANALYZED,
    "analyze": TRACES_ANALYZED,
    "propose": CANDIDATES_PROPOSED,
    "replay-selection": REPLAYED,
    "replay-sealed": REPLAYED,
}
_ARGS: dict[JobStage, tuple[str, ...]] = {
    "read": ("read",),
    "analyze": ("analyze",),
    "propose": ("propose",),
    "replay-selection": ("replay", "--bucket", "selection"),
    "replay-sealed": ("replay", "--bucket", "sealed"),
}
_READERS: tuple[JobStage, ...] = ("read", "analyze")
"""Stages that open the trace backend."""
JUDGE_KEY = "NINEFOLD_JUDGE_API_KEY"
_OTHER_SIDE_IS_DOWN = frozenset(
    {"EndpointUnavailable", "JudgeUnavailable", "BackendUnavailable", "Unreachable", "RateLimited"}
)
"""Reasons of Jobs that say nothing about the candidate and nothing about us: the run is Inconclusive."""


def start(s: RunSnapshot, stage: StageView, first: tuple[Action, ...] = (), **env: str) -> Outcome:
    """Create the stage's Job, after `first`. `env` are further variables of the Job."""
    request = _request(s, stage, env)
    entry = StageStatus(name=stage.stage, attempt=stage.attempt, job=stage.job)
    phase = PHASE[stage.stage]
    return Outcome(
        reconciling(phase, f"the Job {stage.job} is at work, attempt {stage.attempt}"),
        {"stages": with_stages(s, entry), "phase": phase},
        first=(*first, Create(job_manifest(request, s.settings, stage.job))),
    )


def is_absent(stage: StageView) -> bool:
    return isinstance(stage.state, Absent)


def _request(s: RunSnapshot, stage: StageView, env: dict[str, str]) -> JobRequest:
    assert s.inputs is not None and s.inputs.value is not None, "steps before this one see to it"
    inputs = s.inputs.value
    return JobRequest(
        owner=s.run.ref,
        stage=stage.stage,
        attempt=stage.attempt,
        args=_ARGS[stage.stage],
        artifact=stage.artifact,
        inputs=inputs_name(s.run),
        image=s.run.status.job_image or s.settings.job_image,
        labels={labels.RUN: s.run.name, labels.AGENT: inputs.agent_name},
        jobs=inputs.policy.jobs,
        upstream=_upstream(s, stage),
        traces=volume_of(inputs.backend) if stage.stage in _READERS else None,
        secrets=_secrets(s, stage.stage),
        env=env,
        shards=shards_of(inputs, stage.stage),
        grace=_grace(inputs.agent, stage.stage),
    )


def _grace(agent: AgentSpec, stage: JobStage) -> timedelta | None:
    """So long that the answers to calls under way, which are paid, can come home and be stored."""
    asks = stage.startswith("replay-") or stage == "propose"
    return agent.replay.drain + LEAVE if asks and agent.replay is not None else None


def _upstream(s: RunSnapshot, stage: StageView) -> dict[str, ArtifactRef]:
    """The artifacts that the stage is given. Receipts of a lost race are not worth another race: see `must_have`."""
    needed = [one for one in NEEDS[stage.stage] if stage.attempt == 1 or must_have(s.run, one)]
    entries = {one: stage_status(s.run, one) for one in needed}
    return {one: entry.result for one, entry in entries.items() if entry is not None and entry.result is not None}


def _secrets(s: RunSnapshot, stage: JobStage) -> dict[str, SecretKeyRef]:
    """Only those of the stage."""
    assert s.inputs is not None and s.inputs.value is not None
    agent, policy = s.inputs.value.agent, s.inputs.value.policy
    if stage in _READERS:
        named = trace_secrets(s.inputs.value.backend)
        engine = policy.analysis.engine
        if stage == "analyze" and engine is not None and engine.clickhouse.password_secret_ref is not None:
            named[ENGINE_PASSWORD] = engine.clickhouse.password_secret_ref
        if (
            stage == "analyze"
            and (judge := agent.success.of_history) is not None
            and judge.api_key_secret_ref is not None
        ):
            named[JUDGE_KEY] = judge.api_key_secret_ref
        return named
    if stage == "propose" and policy.proposals.reflection is not None:
        keys: dict[str, SecretKeyRef | None] = {
            "NINEFOLD_REFLECTION_API_KEY": policy.proposals.reflection.api_key_secret_ref
        }
        if policy.proposals.search is not None:
            keys |= _replay_keys(agent)
        return {name: key for name, key in keys.items() if key is not None}
    if stage.startswith("replay-"):
        keys = _replay_keys(agent)
        if stage == "replay-selection" and agent.replay is not None and agent.replay.step is not None:
            keys["NINEFOLD_MODEL_API_KEY"] = agent.model.api_key_secret_ref
        if judge := _judge(agent.success, stage):
            keys[JUDGE_KEY] = judge.api_key_secret_ref
        return {name: key for name, key in keys.items() if key is not None}
    return {}


def _replay_keys(agent: AgentSpec) -> dict[str, SecretKeyRef | None]:
    """What runs a case: the staging endpoint, or the model behind the agent and the sandbox of its tools."""
    replay = agent.replay
    keys: dict[str, SecretKeyRef | None] = {}
    if replay is not None and replay.endpoint is not None:
        keys["NINEFOLD_REPLAY_API_KEY"] = replay.endpoint.api_key_secret_ref
    if replay is not None and replay.trajectory is not None:
        keys["NINEFOLD_MODEL_API_KEY"] = agent.model.api_key_secret_ref
        if replay.trajectory.sandbox is not None:
            keys["NINEFOLD_SANDBOX_API_KEY"] = replay.trajectory.sandbox.api_key_secret_ref
    return keys


def _judge(success: Success, stage: JobStage) -> Judge | None:
    """Whose key the stage gets: the race never sees that of the gate's judge."""
    if success.judges is None:
        return None
    return success.judges.gate if stage == "replay-sealed" else success.judges.search


def with_stages(s: RunSnapshot, *changed: StageStatus) -> list[StageStatus]:
    """The stages of the status with these entries in place of the old ones, in the order of the loop."""
    entries = {entry.name: entry for entry in s.run.status.stages} | {entry.name: entry for entry in changed}
    return [entries[stage] for stage in STAGES if stage in entries]


def taken(s: RunSnapshot, stage: StageView) -> list[StageStatus]:
    """The stages with this one's result noted."""
    assert isinstance(stage.state, Done)
    entry = StageStatus(name=stage.stage, attempt=stage.attempt, job=stage.job, result=stage.state.ref)
    return with_stages(s, entry)


# ---------------------------------------------------------------- steps


def not_ours(s: RunSnapshot, now: datetime) -> Outcome | None:
    if s.stage is None or not isinstance(s.stage.state, Foreign):
        return None
    return Outcome(stalled("JobNotOwned", f"the Job {s.stage.job} exists and is not this run's: delete it"))


def under_way(s: RunSnapshot, now: datetime) -> Outcome | None:
    if s.stage is None:
        return None
    state = patient(s.stage.state, now)
    if not isinstance(state, Running):
        return None
    phase = PHASE[s.stage.stage]
    if state.waiting is not None:
        message = f"the pod of the Job {s.stage.job} cannot start: {state.waiting}"
        return Outcome(stalled("PodCannotStart", message), {"phase": phase}, again_at=now + PATIENCE)
    message = f"the Job {s.stage.job} is at work, attempt {s.stage.attempt}"
    if state.done is not None:
        message += f": {state.done[0]} of {counted(state.done[1], 'shard')} done"
    return Outcome(reconciling(phase, message), {"phase": phase}, again_at=now + PATIENCE)


def broken(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The Job failed: an artifact that it needed is gone, or it said why."""
    if s.stage is None:
        return None
    state = patient(s.stage.state, now)
    if not isinstance(state, Broken):
        return None
    if state.error.reason == "ArtifactLost":
        return again(s, now, s.stage.lost, state.error.message)
    told = (false(_CONDITION[s.stage.stage], state.error.reason, state.error.message),)
    if state.error.reason in _OTHER_SIDE_IS_DOWN:
        return end(s, now, "Inconclusive", state.error.message, verdicts=told)
    return fail(s, now, state.error.reason, _advice(s.stage, state.error), verdicts=told)


def _advice(stage: StageView, error: JobError) -> str:
    if error.reason == "DeadlineExceeded":
        return f"{stage.stage}: {error.message}; raise spec.jobs.deadline of the policy"
    return f"{stage.stage}: {error.message}"


def refused(s: RunSnapshot, now: datetime) -> Outcome | None:
    """The Job is done, but its result, or the proposals that it is about, cannot be taken."""
    if s.stage is None:
        return None
    if isinstance(s.stage.result, Refused):
        return _refused(s, now, s.stage.result, lost=())
    if isinstance(s.proposals, Refused):
        return _refused(s, now, s.proposals, lost=("propose",), own=False)
    return None


def _refused(s: RunSnapshot, now: datetime, problem: Refused, lost: tuple[JobStage, ...], own: bool = True) -> Outcome:
    assert s.stage is not None
    if problem.reason == "ArtifactLost":
        return again(s, now, lost, problem.message, own=own)
    told = (false(_CONDITION[s.stage.stage], problem.reason, problem.message),)
    return fail(s, now, problem.reason, problem.message, verdicts=told)


def again(s: RunSnapshot, now: datetime, lost: Iterable[JobStage], why: str, *, own: bool = True) -> Outcome:
    """Compute the lost stages once more, and the one under way, which could not do without them, if `own`."""
    assert s.stage is not None
    stages: list[JobStage] = [*lost, *([s.stage.stage] if own else [])]
    entries = []
    for stage in stages:
        entry = stage_status(s.run, stage)
        attempt = (entry.attempt if entry is not None else 1) + 1
        if attempt > ATTEMPTS:
            return fail(s, now, "ArtifactLost", f"{stage} was computed {ATTEMPTS} times: {why}")
        entries.append(StageStatus(name=stage, attempt=attempt))
    told = f"{why}; computed once more: {', '.join(stages)}"
    return Outcome(reconciling("ArtifactLost", told), {"stages": with_stages(s, *entries)})
