"""TraceBackend: a probe Job a generation, again every six hours, and sooner, with growing pauses, after a failure.

Which probe is due follows from the status alone (`turns`): generation probed, when, failures since.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ninefold.api import labels
from ninefold.api.artifacts import ProbeReport, canonical, sha256
from ninefold.api.base import rfc3339
from ninefold.api.inputs import ProbeInputs
from ninefold.api.tracebackend import Capabilities, TraceBackendSpec
from ninefold.api.workload import Jobs
from ninefold.controllers.actions import Action, Create, Manifest, Plan
from ninefold.controllers.artifacts import Refused, read_artifact
from ninefold.controllers.conditions import STALLED, counted, find, ready, reconciling, stalled
from ninefold.controllers.jobs import (
    JobRequest,
    artifact_key,
    host_path_refusal,
    inputs_configmap,
    job_manifest,
    job_name,
    trace_secrets,
    volume_of,
)
from ninefold.controllers.jobstate import PATIENCE, Done, Foreign, JobState, Running, patient, pods_of, state_of
from ninefold.controllers.objects import (
    TraceBackend,
    backend_of,
    is_gone,
    owned_by,
)
from ninefold.controllers.outcome import Outcome, finish
from ninefold.controllers.ports import Key, Reader
from ninefold.controllers.settings import OperatorSettings
from ninefold.controllers.turns import Turn, failure_of, leftovers, next_turn

MANAGER = "ninefold-tracebackend"


@dataclass(frozen=True)
class TraceBackendSnapshot:
    """All that a plan for a TraceBackend looks at. `job` and `state` are those of the probe that is due next."""

    settings: OperatorSettings
    backend: TraceBackend
    probe: Turn
    state: JobState
    report: ProbeReport | Refused | None = None
    jobs: tuple[Manifest, ...] = ()
    inputs: tuple[Manifest, ...] = ()


async def gather(reader: Reader, key: Key, settings: OperatorSettings) -> TraceBackendSnapshot | None:
    """The snapshot, or None when the object is gone (garbage collection takes what it owned)."""
    manifest = await reader.get(key.kind, key.namespace, key.name)
    if manifest is None or is_gone(manifest):
        return None
    backend = backend_of(manifest)
    probe = next_probe(backend, settings)
    mine = {labels.BACKEND: backend.name}
    jobs = [job for job in await reader.list("Job", key.namespace, mine) if owned_by(job, backend.uid)]
    inputs = [cm for cm in await reader.list("ConfigMap", key.namespace, mine) if owned_by(cm, backend.uid)]
    job = await reader.get("Job", key.namespace, job_name(backend.ref, "probe", probe.id))
    state = state_of(job, await pods_of(reader, job), backend.uid, _artifact(backend, probe))
    report = await read_artifact(reader, state.ref, ProbeReport) if isinstance(state, Done) else None
    return TraceBackendSnapshot(settings, backend, probe, state, report, tuple(jobs), tuple(inputs))


def plan(snapshot: TraceBackendSnapshot | None, now: datetime) -> Plan:
    """The first step that has something to say decides."""
    if snapshot is None:
        return Plan()
    steps = (
        _host_path_refused,  # nothing is started
        _name_taken,  # somebody else's Job bears our name
        _good,  # the probe found something
        _failed,  # the probe failed, or its result cannot be taken
        _under_way,
        _due,
    )
    outcome = next((found for step in steps if (found := step(snapshot, now))), Outcome(again_at=snapshot.probe.due))
    return finish(snapshot.backend, outcome, now, MANAGER)


def next_probe(backend: TraceBackend, settings: OperatorSettings) -> Turn:
    """The probe that the status calls for."""
    status = backend.status
    base = f"g{backend.generation}"
    if status.probed_generation != backend.generation or status.last_probe_time is None:
        return Turn(base, backend.created)
    usual = settings.probe_interval
    return next_turn(base, status.last_probe_time, status.failed_probes or 0, usual, longest=usual)


def _artifact(backend: TraceBackend, probe: Turn) -> str:
    return artifact_key(backend.uid, "probe", probe.id, 1)


# ---------------------------------------------------------------- steps


def _host_path_refused(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    sentence = host_path_refusal(s.backend.spec, s.settings)
    if sentence is None:
        return None
    return Outcome(stalled("HostPathNotAllowed", sentence), after=_deletions(s, keep_job=None))


def _name_taken(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    if not isinstance(s.state, Foreign):
        return None
    name = job_name(s.backend.ref, "probe", s.probe.id)
    return Outcome(stalled("JobNotOwned", f"the Job {name} exists and is not this TraceBackend's: delete it"))


def _good(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    if not isinstance(s.state, Done) or not isinstance(s.report, ProbeReport):
        return None
    found = s.report.capabilities
    if found.traces == 0:
        status = {**_probed(s, s.state.at), "failed_probes": _failures(s) + 1, "capabilities": found}
        return Outcome(stalled("NoTraces", f"{_sentence(found)}: {_where_to_look(s.backend.spec)}"), status)
    status = {**_probed(s, s.state.at), "failed_probes": 0, "capabilities": found}
    return Outcome(ready("Probed", _sentence(found)), status)


def _failed(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    failure = failure_of(s.state, s.report, now)
    if failure is None:
        return None
    tell = stalled if failure.permanent else reconciling
    status = {**_probed(s, failure.at), "failed_probes": _failures(s) + 1}
    return Outcome(tell(failure.reason, failure.message), status)


def _under_way(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    state = patient(s.state, now)
    if not isinstance(state, Running):
        return None
    after = _deletions(s, keep_job=job_name(s.backend.ref, "probe", s.probe.id))
    if state.waiting is not None:
        return Outcome(stalled("PodCannotStart", state.waiting), after=after, again_at=now + PATIENCE)
    was_waiting = find(s.backend.status.conditions, STALLED)
    again = now + PATIENCE
    if _same_generation(s) and (was_waiting is None or was_waiting.reason != "PodCannotStart"):
        return Outcome(after=after, again_at=again)  # a repeated probe changes nothing until it has found something
    return Outcome(reconciling("Probing", "the probe is looking at the traces"), after=after, again_at=again)


def _due(s: TraceBackendSnapshot, now: datetime) -> Outcome | None:
    if now < s.probe.due:
        return None
    inputs = ProbeInputs(backend=s.backend.spec)
    name = f"{s.backend.name}-probe-{sha256(canonical([s.backend.uid, inputs.wire()]))[:8]}"
    marks = {labels.BACKEND: s.backend.name}
    request = JobRequest(
        owner=s.backend.ref,
        stage="probe",
        attempt=1,
        args=("probe",),
        artifact=_artifact(s.backend, s.probe),
        inputs=name,
        image=s.settings.job_image,
        labels=marks,
        jobs=Jobs(backoff_limit=1),
        deadline=s.settings.probe_deadline,
        traces=volume_of(s.backend.spec),
        secrets=trace_secrets(s.backend.spec),
    )
    first = (
        Create(inputs_configmap(name, s.backend.ref, marks, inputs)),
        Create(job_manifest(request, s.settings, job_name(s.backend.ref, "probe", s.probe.id))),
    )
    if _same_generation(s):
        return Outcome(first=first)
    return Outcome(reconciling("Probing", "the probe is looking at the traces"), first=first)


# ---------------------------------------------------------------- parts


def _same_generation(s: TraceBackendSnapshot) -> bool:
    return s.backend.status.probed_generation == s.backend.generation


def _failures(s: TraceBackendSnapshot) -> int:
    return (s.backend.status.failed_probes or 0) if _same_generation(s) else 0


def _probed(s: TraceBackendSnapshot, at: datetime) -> dict[str, Any]:
    return {"probed_generation": s.backend.generation, "last_probe_time": rfc3339(at)}


def _sentence(found: Capabilities) -> str:
    scores = f"scores: {', '.join(found.scores)}" if found.scores else "no scores"
    unread = f", {counted(found.malformed, 'line')} could not be read" if found.malformed else ""
    source = found.api if found.api is not None else counted(found.files, "file")
    return f"{source}, {counted(found.traces, 'trace')}, {scores}{unread}"


def _where_to_look(spec: TraceBackendSpec) -> str:
    if volume_of(spec) is not None:
        return "check volume, path and format"
    return "check that the keys are those of the project that the agent writes to, and the environment if one is named"


def _deletions(s: TraceBackendSnapshot, keep_job: str | None) -> tuple[Action, ...]:
    """Probes before this one. The newest Job stays for its log."""
    return leftovers(s.jobs, s.inputs, keep_job)
