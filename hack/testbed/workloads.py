"""Pods and Jobs in one line each for tests, and waiting for what becomes of them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from testbed.waiting import eventually

Object = dict[str, Any]

IMAGE = "python:3.12"
"""An image name that the local node knows."""


class Workloads:
    """Creates pods and Jobs in one namespace and reads them back.

    `kubectl` runs in that namespace and returns a `CompletedProcess`, as the fixture of that name does.
    Pods have one container, `main`; whatever else a spec needs is given as JSON and wins.
    """

    def __init__(self, kubectl: Callable[..., Any]) -> None:
        self._kubectl = kubectl

    def apply(self, *objects: Object) -> None:
        self._kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pod(self, name: str, *command: str, container: Object | None = None, **spec: Any) -> None:
        """Create a pod that runs `command`."""
        body = _pod_spec(command, container, spec)
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body})

    def job(
        self, name: str, *command: str, container: Object | None = None, job: Object | None = None, **spec: Any
    ) -> None:
        """Create a Job whose pods run `command`; `job` adds to the Job's own spec."""
        body = {"backoffLimit": 0, "template": {"spec": _pod_spec(command, container, spec)}} | (job or {})
        self.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body})

    def config_map(self, name: str, **data: str) -> None:
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def get(self, kind: str, name: str) -> Object:
        """The object, or an empty one if there is none."""
        found: Object = json.loads(self._kubectl("get", kind, name, "-o", "json", "--ignore-not-found").stdout or "{}")
        return found

    def until(self, kind: str, name: str, holds: Callable[[Object], Any], seconds: float = 60) -> Object:
        """The object in the first state for which `holds` is true."""

        def read() -> Object:
            found = self.get(kind, name)
            return found if found and holds(found) else {}

        return eventually(read, f"{kind} {name} is as wanted", seconds)

    def ended(self, name: str, seconds: float = 60) -> Object:
        """The pod when it has succeeded or failed."""
        return self.until("pod", name, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), seconds)

    def running(self, name: str) -> Object:
        """The pod when its containers run."""
        return self.until("pod", name, lambda pod: pod["status"]["phase"] == "Running")

    def waiting(self, name: str, reason: str) -> str:
        """The message of the pod's first container, once it waits for this reason."""
        pod = self.until("pod", name, lambda pod: container_state(pod, "waiting").get("reason") == reason)
        message: str = container_state(pod, "waiting").get("message", "")
        return message

    def job_with(self, name: str, condition: str, seconds: float = 60) -> Object:
        """The Job when this condition is true of it."""
        return self.until("job", name, lambda job: condition in true_conditions(job), seconds)

    def pods_of(self, job: str) -> list[Object]:
        """The Job's pods, whatever their state."""
        listing = self._kubectl("get", "pods", f"--selector=batch.kubernetes.io/job-name={job}", "-o", "json").stdout
        pods: list[Object] = json.loads(listing)["items"]
        return pods

    def logs(self, name: str, *options: str) -> str:
        text: str = self._kubectl("logs", name, *options).stdout
        return text


def container_state(pod: Object, kind: str) -> Object:
    """The first container's `waiting`, `running` or `terminated` state; empty if it is in another."""
    statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
    state: Object = statuses[0]["state"].get(kind, {})
    return state


def true_conditions(thing: Object) -> dict[str, Object]:
    """The conditions whose status is `True`, by type."""
    return {one["type"]: one for one in thing["status"].get("conditions", []) if one["status"] == "True"}


def _pod_spec(command: Sequence[str], container: Object | None, spec: Object) -> Object:
    main = {"name": "main", "image": IMAGE, "command": list(command)} | (container or {})
    base = {"restartPolicy": "Never", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 5}
    return base | {"containers": [main]} | spec
