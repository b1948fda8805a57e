"""The status of a pod, computed from the state of its containers: pure, as in kubelet's `getPhase`.

The Job controller reads phase, exit codes, reasons and conditions from here, so this is where a
local node must not lie.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed.localnode.objects import Object

ADDRESS = "127.0.0.1"


@dataclass
class ContainerRecord:
    """What is known of one container; `state` is a `ContainerState` as JSON."""

    spec: Object
    state: Object = field(default_factory=lambda: waiting("PodInitializing"))
    last_state: Object = field(default_factory=dict)
    restarts: int = 0
    container_id: str = ""

    @property
    def terminated(self) -> Object | None:
        return self.state.get("terminated")

    @property
    def succeeded(self) -> bool:
        return self.terminated is not None and self.terminated["exitCode"] == 0

    @property
    def failed(self) -> bool:
        return self.terminated is not None and self.terminated["exitCode"] != 0

    @property
    def running(self) -> bool:
        return "running" in self.state

    def to_status(self, *, init: bool) -> Object:
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": f"local://{self.spec['image']}" if self.container_id else "",
            "containerID": self.container_id,
            "ready": self.succeeded if init else self.running,
            "started": self.running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }


@dataclass(frozen=True)
class Verdict:
    """An end that the node decided, over what the exit codes say."""

    reason: str
    message: str


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def running(since: str) -> Object:
    return {"running": {"startedAt": since}}


def terminated(code: int, started: str, message: str, container_id: str, reason: str = "") -> Object:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason or ("Error" if code else "Completed"),
            "message": message,
            "startedAt": started,
            "finishedAt": timestamp(),
            "containerID": container_id,
        }
    }


def phase(restart_policy: str, init: list[ContainerRecord], main: list[ContainerRecord], *, stopped: bool) -> str:
    """`Pending`, `Running`, `Succeeded` or `Failed`.

    `stopped` says that nothing will be started any more (deletion, deadline), so that a container
    which never ran, or would have been restarted, counts as failed.
    """
    final = stopped or restart_policy == "Never"
    if any(one.failed for one in init) and final:
        return "Failed"
    unbegun = any("waiting" in one.state and not one.last_state for one in main)
    if not stopped and (unbegun or not all(one.succeeded for one in init)):
        return "Pending"
    if any(one.running for one in main):
        return "Running"
    if all(one.succeeded for one in main) and (stopped or restart_policy != "Always"):
        return "Succeeded"
    return "Failed" if stopped or (final and all(one.terminated for one in main)) else "Running"


def pod_status(
    pod: Object,
    init: list[ContainerRecord],
    main: list[ContainerRecord],
    *,
    started: str,
    stopped: bool = False,
    verdict: Verdict | None = None,
) -> Object:
    """The whole status that the node owns; conditions merge by type with those of others."""
    now_phase = phase(pod["spec"]["restartPolicy"], init, main, stopped=stopped)
    if now_phase in ("Running", "Pending"):
        verdict = None
    elif verdict:
        now_phase = "Failed"
    ended = now_phase if now_phase in ("Succeeded", "Failed") else ""
    not_ready = "PodCompleted" if ended == "Succeeded" else "PodFailed" if ended else "ContainersNotReady"
    ready = not ended and all(one.running for one in main)
    initialized = all(one.succeeded for one in init)
    conditions = [
        condition(pod, "PodReadyToStartContainers", not ended),
        condition(pod, "Initialized", initialized, "" if initialized else "ContainersNotInitialized"),
        condition(pod, "ContainersReady", ready, "" if ready else not_ready),
        condition(pod, "Ready", ready, "" if ready else not_ready),
    ]
    return {
        "phase": now_phase,
        "reason": verdict.reason if verdict else None,
        "message": verdict.message if verdict else None,
        "startTime": started,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "conditions": conditions,
        "initContainerStatuses": [one.to_status(init=True) for one in init],
        "containerStatuses": [one.to_status(init=False) for one in main],
    }


def lost_status(pod: Object) -> Object:
    """For a pod whose processes died with an earlier local node, and which may not start again."""
    message = "the local node was restarted, and the pod's processes had died with it"
    records = [ContainerRecord(one) for one in pod["spec"]["containers"]]
    for record in records:
        record.state = terminated(137, timestamp(), message, "", "ContainerStatusUnknown")
    started = pod["status"].get("startTime") or timestamp()
    verdict = Verdict("NodeLost", message)
    return pod_status(pod, [], records, started=started, stopped=True, verdict=verdict)


def condition(pod: Object, kind: str, holds: bool, reason: str = "") -> Object:
    """A condition whose transition time moves only when its status does."""
    status = "True" if holds else "False"
    before = next((one for one in pod.get("status", {}).get("conditions", []) if one["type"] == kind), None)
    since = before["lastTransitionTime"] if before and before["status"] == status else timestamp()
    result: dict[str, Any] = {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason or None}
    return result


def timestamp() -> str:
    """Now, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
