"""Jobs of the simulated cluster: they end as a test says, with pod, termination message and condition."""

from collections.abc import Callable
from datetime import datetime

from unit.controllers.simulated import SimulatedCluster

from ninefold.api.artifacts import Artifact, JobError, canonical, sha256
from ninefold.api.base import rfc3339
from ninefold.api.run import ArtifactRef
from ninefold.controllers.actions import Manifest

Result = Artifact | JobError | str | None
"""A result, an error, any other termination message, or None: it goes on for ever."""
Behaviour = Callable[[SimulatedCluster, Manifest, dict[str, str]], Result]
"""What a Job does: given the cluster, the Job and the plain part of its environment."""


def environment(job: Manifest) -> dict[str, str]:
    container = job["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def run_jobs(cluster: SimulatedCluster, behave: Behaviour) -> None:
    """Let every Job that has not ended come to its end: pod, termination message, condition."""
    for job in cluster.all("Job"):
        if (job.get("status") or {}).get("conditions"):
            continue
        result = behave(cluster, job, environment(job))
        if result is not None:
            end_job(cluster, job, result)


def end_job(cluster: SimulatedCluster, job: Manifest, result: Artifact | JobError | str) -> None:
    """The pod ends with this result, and the Job with the pod. Of an Indexed Job, all other pods are gone by then."""
    index = job["spec"]["completions"] - 1 if "completions" in job["spec"] else None
    if isinstance(result, Artifact):
        key, data = environment(job)["NINEFOLD_ARTIFACT"], result.to_bytes()
        key = key if index is None else f"{key}:{index}"
        cluster.redis[key] = data
        message = canonical(ArtifactRef(artifact=key, sha256=sha256(data), bytes=len(data)).wire()).decode()
    else:
        message = canonical(result.wire()).decode() if isinstance(result, JobError) else result
    good = not isinstance(result, JobError)
    cluster.put(a_pod(job, message, 0 if good else 1, cluster.now, index))
    condition = {"type": "Complete" if good else "Failed", "status": "True", "lastTransitionTime": rfc3339(cluster.now)}
    cluster.put({**job, "status": {"conditions": [condition]}})


def a_pod(job: Manifest, message: str, exit_code: int, now: datetime, index: int | None = None) -> Manifest:
    """A pod of the Job that has ended; of an Indexed Job, with its number."""
    marks = {} if index is None else {"annotations": {"batch.kubernetes.io/job-completion-index": str(index)}}
    terminated = {"exitCode": exit_code, "message": message}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{job['metadata']['name']}-x",
            "namespace": job["metadata"]["namespace"],
            **marks,
            "creationTimestamp": rfc3339(now),
            "labels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": job["metadata"]["name"],
                    "uid": job["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {},
        "status": {
            "phase": "Succeeded" if exit_code == 0 else "Failed",
            "containerStatuses": [{"name": "job", "state": {"terminated": terminated}}],
        },
    }
