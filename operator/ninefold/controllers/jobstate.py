"""What a Job says about itself, read from the Job, its pods and their termination messages.

Only a Job that our owner controls is believed, only pods that this very Job controls, and only a reference to the one
key that this attempt was told to write. Everything else that could stand in a termination message is an error.

Each pod of an Indexed Job writes under a key of its own, which ends with its number. What such a Job has done lies in
the store, and its result is that of one of its pods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from ninefold.api.artifacts import JobError
from ninefold.api.run import ArtifactRef
from ninefold.controllers.actions import Manifest
from ninefold.controllers.conditions import clip
from ninefold.controllers.objects import owned_by, parse_time
from ninefold.controllers.ports import Reader

POD_OF_JOB = "batch.kubernetes.io/controller-uid"
"""Label that the Job controller gives its pods."""
INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation with a pod's number in an Indexed Job."""

PATIENCE = timedelta(seconds=30)
"""A pod that cannot start for this long is told to the user: shorter troubles (a Secret made a moment later, a node
that is just joining) pass by themselves. Also how long a finished Job may wait for its pod to be seen."""

_CANNOT_START = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
    }
)
_NO_POD = (
    "there is no pod yet: `kubectl describe job {}` says why (a service account that is missing, a quota, an admission "
    "policy)"
)
_MAX_MESSAGE = 1000


@dataclass(frozen=True)
class Absent:
    """There is no Job of that name."""


@dataclass(frozen=True)
class Foreign:
    """A Job of that name exists and is not our owner's; it is neither believed nor touched."""


@dataclass(frozen=True)
class Running:
    """Under way. `waiting` says why its pod does not start, `since` from when on it could have.

    `done` of an Indexed Job: how many pods have done their share, and how many there are.
    """

    waiting: str | None = None
    since: datetime | None = None
    done: tuple[int, int] | None = None


@dataclass(frozen=True)
class Unseen:
    """Complete, but its pod cannot be seen, and with it the digest of the result."""

    at: datetime


@dataclass(frozen=True)
class Done:
    """It reported a result; the bytes have not been looked at yet."""

    ref: ArtifactRef
    at: datetime


@dataclass(frozen=True)
class Broken:
    """It will not come to a result."""

    error: JobError
    at: datetime


JobState = Absent | Foreign | Running | Unseen | Done | Broken


async def pods_of(reader: Reader, job: Manifest | None) -> list[Manifest]:
    """The pods that this very Job controls."""
    if job is None:
        return []
    metadata = job["metadata"]
    pods = await reader.list("Pod", metadata["namespace"], {POD_OF_JOB: metadata["uid"]})
    return [pod for pod in pods if owned_by(pod, metadata["uid"])]


def state_of(job: Manifest | None, pods: Sequence[Manifest], owner_uid: str, expected_key: str) -> JobState:
    """The state of a Job of `owner_uid` whose result must lie under `expected_key`."""
    if job is None:
        return Absent()
    if not owned_by(job, owner_uid):
        return Foreign()
    for condition in job.get("status", {}).get("conditions") or []:
        if condition.get("status") != "True":
            continue
        if condition["type"] == "Complete":
            return _completed(pods, _time_of(condition, job), expected_key)
        if condition["type"] == "Failed":
            return _failed(condition, _of_failed_indexes(job, pods), _time_of(condition, job))
    if not pods and _should_have_one(job):
        return Running(_NO_POD.format(job["metadata"]["name"]), _created(job))
    pod, why = next(((pod, why) for pod in pods if (why := _waiting(pod))), (None, None))
    return Running(why, _created(pod) if pod is not None else None, _done(job))


def _done(job: Manifest) -> tuple[int, int] | None:
    spec = job.get("spec") or {}
    if spec.get("completionMode") != "Indexed":
        return None
    return int(job["status"].get("succeeded") or 0), int(spec.get("completions") or 1)


def _should_have_one(job: Manifest) -> bool:
    """Not one that a queueing system holds back, nor one whose pod was just removed."""
    status = job.get("status") or {}
    return not (job.get("spec", {}).get("suspend") or status.get("active") or status.get("failed"))


def patient(state: JobState, now: datetime) -> JobState:
    """The state as far as it is to be told: what began within PATIENCE may pass by itself."""
    if isinstance(state, Unseen):
        return Running() if now - state.at < PATIENCE else Broken(_LOST, state.at)
    if isinstance(state, Running) and state.since is not None and now - state.since < PATIENCE:
        return Running(done=state.done)
    return state


def _time_of(condition: dict[str, Any], job: Manifest) -> datetime:
    return parse_time(condition.get("lastTransitionTime") or job["metadata"]["creationTimestamp"])


_LOST = JobError(
    reason="ArtifactLost",
    message="the Job is complete, but its pod is gone, and with it the digest of its result",
    permanent=False,
)


def _completed(pods: Sequence[Manifest], at: datetime, expected_key: str) -> JobState:
    good = (pod for pod in pods if _phase(pod) == "Succeeded")
    message, pod = next(((text, pod) for pod in good if (text := _termination(pod)[0])), (None, None))
    if message is None or pod is None:
        return Unseen(at)
    if (index := _index(pod)) is not None:
        expected_key = f"{expected_key}:{index}"
    try:
        ref = ArtifactRef.model_validate_json(message)
    except ValidationError:
        return Broken(_forged("its pod ended well without a reference to its result"), at)
    if ref.artifact != expected_key:
        told = clip(ref.artifact, 120)
        return Broken(_forged(f"its pod named the artifact {told!r}, but was told to write {expected_key!r}"), at)
    return Done(ref, at)


def _index(pod: Manifest) -> str | None:
    found = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return None if found is None else str(found)


def _of_failed_indexes(job: Manifest, pods: Sequence[Manifest]) -> list[Manifest]:
    """The pods whose failing failed the Job: those of other numbers were tried again and did their share."""
    failed = str((job.get("status") or {}).get("failedIndexes") or "")
    ranges = [part.partition("-") for part in failed.split(",") if part]
    numbers = {str(n) for first, _, last in ranges for n in range(int(first), int(last or first) + 1)}
    return [pod for pod in pods if _index(pod) in numbers] if numbers else list(pods)


def _forged(message: str) -> JobError:
    return JobError(reason="ArtifactForged", message=f"{message}: refused", permanent=False)


def _failed(condition: dict[str, Any], pods: Sequence[Manifest], at: datetime) -> Broken:
    if condition.get("reason") == "DeadlineExceeded":
        waited = next((text for pod in pods if (text := _waiting(pod))), None)
        message = "the Job did not end within its deadline" + (f"; its pod could not start: {waited}" if waited else "")
        return Broken(JobError(reason="DeadlineExceeded", message=message, permanent=False), at)
    broken = sorted((pod for pod in pods if _phase(pod) == "Failed"), key=_created, reverse=True)
    for pod in broken:
        if (error := _error_of(pod)) is not None:
            return Broken(error, at)
    told = clip(str(condition.get("message") or "no pod left a message"), _MAX_MESSAGE)
    return Broken(JobError(reason="JobFailed", message=f"the Job failed: {told}", permanent=False), at)


def _error_of(pod: Manifest) -> JobError | None:
    """What the pod said, or what its container's end says in its place."""
    message, terminated = _termination(pod)
    try:
        return JobError.model_validate_json(message)
    except ValidationError:
        pass
    if terminated.get("reason") == "OOMKilled":
        sentence = "the pod was killed for lack of memory: raise jobs.resources.limits.memory of the policy"
        return JobError(reason="OutOfMemory", message=sentence, permanent=False)
    if "exitCode" in terminated:
        sentence = f"the pod ended with exit code {terminated['exitCode']} and without a message; its log says more"
        return JobError(reason="JobFailed", message=sentence, permanent=False)
    return None


def _termination(pod: Manifest) -> tuple[str, dict[str, Any]]:
    for container in pod.get("status", {}).get("containerStatuses") or []:
        terminated = (container.get("state") or {}).get("terminated")
        if terminated:
            return terminated.get("message") or "", terminated
    return "", {}


def _waiting(pod: Manifest) -> str | None:
    """Why a pod does not start, as the kubelet or the scheduler says it."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _CANNOT_START:
            return _sentence(container.get("image", ""), waiting)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return clip(str(condition.get("message") or condition.get("reason")), _MAX_MESSAGE)
    return None


def _sentence(image: str, waiting: dict[str, Any]) -> str:
    if waiting["reason"] in ("ErrImagePull", "ImagePullBackOff"):
        # The two take turns; one sentence for both keeps the condition still.
        return f"the image {image} cannot be pulled"
    return clip(f"{waiting['reason']}: {waiting.get('message') or 'no further word'}", _MAX_MESSAGE)


def _phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _created(manifest: Manifest) -> datetime:
    return parse_time(manifest["metadata"]["creationTimestamp"])


def is_ended(job: Manifest) -> bool:
    """Complete or failed; what it could write, it has written."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions)
