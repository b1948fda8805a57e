"""What a plan for an OptimizationRun looks at, gathered once.

Redis is asked for one thing only: the result of the stage under way, once its Job is done (and, where a version is made
of it, the proposals). Once the candidate has passed the gate no stage is under way, so nothing is read from Redis any
more: all that waits for an approval stands in ConfigMaps and in the status.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from ninefold.api import labels
from ninefold.api.artifacts import Artifact, ReadReport, sha256
from ninefold.api.candidates import ProposalSet, is_composed
from ninefold.api.findings import AnalysisReport
from ninefold.api.inputs import RunInputs
from ninefold.api.outcomes import ReplayReport
from ninefold.api.run import JobStage, StageStatus
from ninefold.controllers.actions import Manifest
from ninefold.controllers.artifacts import Refused, read_artifact
from ninefold.controllers.jobs import INPUTS_KEY, artifact_key, job_name
from ninefold.controllers.jobstate import Broken, Done, JobState, pods_of, state_of
from ninefold.controllers.neighbours import agent_of_run, policies_on, policy_of_run, runs_on
from ninefold.controllers.objects import (
    Agent,
    Policy,
    Run,
    TraceBackend,
    agent_of,
    backend_of,
    has_labels,
    is_gone,
    owned_by,
    run_of,
)
from ninefold.controllers.ports import ArtifactProblem, Key, Reader
from ninefold.controllers.runfacts import is_ended
from ninefold.controllers.settings import OperatorSettings
from ninefold.versions import ledger_name

STAGES: Final[tuple[JobStage, ...]] = ("read", "analyze", "propose", "replay-selection", "replay-sealed")

NEEDS: Final[dict[JobStage, tuple[JobStage, ...]]] = {
    "read": (),
    "analyze": (),
    "propose": ("analyze",),
    "replay-selection": ("analyze", "propose"),
    "replay-sealed": ("analyze", "propose", "replay-selection"),
}
"""Stages whose artifacts a stage is given. The last needs the race's, for a winner may have been composed there.

What `read` has read lies in the store as parts; `analyze` looks for them there, and reads itself what is missing."""

_RESULT: Final[dict[JobStage, type[Artifact]]] = {
    "read": ReadReport,
    "analyze": AnalysisReport,
    "propose": ProposalSet,
    "replay-selection": ReplayReport,
    "replay-sealed": ReplayReport,
}


@dataclass(frozen=True)
class Inputs:
    """The ConfigMap `<run>-inputs` as it is. `value` is None when it cannot be read as the inputs of a run."""

    manifest: Manifest
    ours: bool
    hash: str
    value: RunInputs | None


@dataclass(frozen=True)
class StageView:
    """The stage under way: its Job, and what it left."""

    stage: JobStage
    attempt: int
    job: str
    artifact: str
    """The key that the Job must write."""
    state: JobState
    result: Artifact | Refused | None = None
    lost: tuple[JobStage, ...] = ()
    """Earlier stages whose artifacts are gone, when the Job said that one is."""


@dataclass(frozen=True)
class RunSnapshot:
    """All that a plan for a run looks at."""

    settings: OperatorSettings
    run: Run
    jobs: tuple[Manifest, ...] = ()
    policy: Policy | None = None
    acting: Policy | None = None
    """The oldest policy on the Agent."""
    agent: Agent | None = None
    backend: TraceBackend | None = None
    ahead: str | None = None
    """A run on the same Agent that goes first."""
    inputs: Inputs | None = None
    ledger: Manifest | None = None
    versions: tuple[Manifest, ...] = ()
    stage: StageView | None = None
    proposals: ProposalSet | Refused | None = None


async def gather(reader: Reader, key: Key, settings: OperatorSettings) -> RunSnapshot | None:
    """The snapshot, or None when the run is gone (garbage collection takes its Jobs and inputs)."""
    manifest = await reader.get(key.kind, key.namespace, key.name)
    if manifest is None or is_gone(manifest):
        return None
    run = run_of(manifest)
    marked = await reader.list("Job", run.namespace, {labels.RUN: run.name})
    jobs = tuple(job for job in marked if owned_by(job, run.uid))
    if is_ended(run):
        return RunSnapshot(settings, run, jobs)
    name = await agent_of_run(reader, run)
    agent = await _agent(reader, run, name)
    inputs = await _inputs(reader, run)
    stage = await _stage(reader, run, inputs)
    return RunSnapshot(
        settings=settings,
        run=run,
        jobs=jobs,
        policy=await policy_of_run(reader, run),
        acting=next(iter(await policies_on(reader, run.namespace, name)), None) if name else None,
        agent=agent,
        backend=await _backend(reader, agent),
        ahead=_ahead(run, await runs_on(reader, run.namespace, name)) if name else None,
        inputs=inputs,
        ledger=await reader.get("ConfigMap", run.namespace, ledger_name(name)) if name else None,
        versions=await _versions(reader, run.namespace, name),
        stage=stage,
        proposals=await _proposals(reader, run, stage),
    )


async def _agent(reader: Reader, run: Run, name: str | None) -> Agent | None:
    manifest = await reader.get("Agent", run.namespace, name) if name else None
    return agent_of(manifest) if manifest is not None and not is_gone(manifest) else None


async def _backend(reader: Reader, agent: Agent | None) -> TraceBackend | None:
    if agent is None:
        return None
    manifest = await reader.get("TraceBackend", agent.namespace, agent.spec.traces.backend_ref.name)
    return backend_of(manifest) if manifest is not None and not is_gone(manifest) else None


async def _versions(reader: Reader, namespace: str, agent: str | None) -> tuple[Manifest, ...]:
    if agent is None:
        return ()
    return tuple(await reader.list("ConfigMap", namespace, {labels.AGENT: agent, labels.ROLE: "version"}))


def _ahead(run: Run, on_the_agent: Iterable[Run]) -> str | None:
    """The run that must end before this one starts: one that has started, else an older one."""
    open_runs = [other for other in on_the_agent if other.uid != run.uid and not is_ended(other)]
    started = [other for other in open_runs if other.status.inputs_hash is not None]
    older = [other for other in open_runs if other.age < run.age]
    return next((other.name for other in (*started, *older)), None)


def inputs_name(run: Run) -> str:
    return f"{run.name}-inputs"


async def _inputs(reader: Reader, run: Run) -> Inputs | None:
    manifest = await reader.get("ConfigMap", run.namespace, inputs_name(run))
    if manifest is None:
        return None
    text = (manifest.get("data") or {}).get(INPUTS_KEY, "")
    ours = has_labels(manifest, {labels.RUN: run.name, labels.ROLE: "inputs", labels.MANAGED_BY: labels.MANAGER})
    try:
        value = RunInputs.model_validate_json(text)
    except ValidationError:
        value = None
    if value is not None and value.run_uid != run.uid:
        value = None  # of a namesake that was deleted
    return Inputs(manifest, ours, sha256(text.encode()), value)


# ---------------------------------------------------------------- the stage under way


def stage_status(run: Run, stage: JobStage) -> StageStatus | None:
    return next((entry for entry in run.status.stages if entry.name == stage), None)


def must_have(run: Run, needed: JobStage) -> bool:
    """Whether a stage cannot do without this artifact. Of a frozen candidate that was proposed as it is, the race only
    holds the measured receipts."""
    frozen = run.status.candidate
    return needed != "replay-selection" or (frozen is not None and is_composed(frozen.id))


def shards_of(inputs: RunInputs, stage: JobStage) -> int:
    """Pods of a stage's Job; 0 for a stage that the run does without."""
    if stage != "read":
        return 1
    return inputs.policy.analysis.parallelism if inputs.policy.analysis.parallelism > 1 else 0


def current_stage(run: Run, inputs: RunInputs) -> JobStage | None:
    """The first stage without a result, or None when all have one."""
    for stage in (one for one in STAGES if shards_of(inputs, one)):
        entry = stage_status(run, stage)
        if entry is None or entry.result is None:
            return stage
    return None


async def _stage(reader: Reader, run: Run, inputs: Inputs | None) -> StageView | None:
    if run.status.inputs_hash is None or inputs is None or inputs.value is None:
        return None
    stage = current_stage(run, inputs.value)
    if stage is None:
        return None
    entry = stage_status(run, stage)
    attempt = entry.attempt if entry is not None else 1
    name = job_name(run.ref, stage, attempt)
    expected = artifact_key(inputs.value.agent_uid, run.uid, stage, attempt)
    job = await reader.get("Job", run.namespace, name)
    state = state_of(job, await pods_of(reader, job), run.uid, expected)
    result = await read_artifact(reader, state.ref, _RESULT[stage]) if isinstance(state, Done) else None
    said_lost = isinstance(state, Broken) and state.error.reason == "ArtifactLost"
    lost = await _lost(reader, run, stage) if said_lost else ()
    return StageView(stage, attempt, name, expected, state, result, lost)


async def _lost(reader: Reader, run: Run, stage: JobStage) -> tuple[JobStage, ...]:
    """Which of the artifacts that a stage needs are gone. The cases count as part of the analysis."""
    lost = []
    for needed in NEEDS[stage]:
        if not must_have(run, needed):
            continue
        entry = stage_status(run, needed)
        if entry is None or entry.result is None:
            continue
        found = await read_artifact(reader, entry.result, _RESULT[needed])
        if isinstance(found, Refused) or (isinstance(found, AnalysisReport) and await _cases_lost(reader, found)):
            lost.append(needed)
    return tuple(lost)


async def _cases_lost(reader: Reader, report: AnalysisReport) -> bool:
    for cases in report.cases:
        try:
            await reader.artifact(cases)
        except ArtifactProblem:
            return True
    return False


async def _proposals(reader: Reader, run: Run, stage: StageView | None) -> ProposalSet | Refused | None:
    """The proposals, when a version is about to be made of one of them."""
    entry = stage_status(run, "propose")
    if stage is None or not stage.stage.startswith("replay-") or not isinstance(stage.state, Done):
        return None
    if entry is None or entry.result is None:
        return None
    return await read_artifact(reader, entry.result, ProposalSet)
