"""The node's main loop: bind what is unscheduled, run what is bound here, finish what is deleted.

One watch over all pods drives everything. Each pod bound to this node is *tracked* from when it is
first seen until its object is gone; a new list after a broken watch shows which tracked pods went
meanwhile. Deletion is kubelet's two steps: the API server marks the pod, the node stops its processes,
publishes how they ended, and only then removes the object with grace period zero.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from testbed.localnode.api import is_gone
from testbed.localnode.objects import Object
from testbed.localnode.status import lost_status
from testbed.localnode.worker import NodeContext, PodWorker, pod_path

log = logging.getLogger("localnode")


class TrackedPod:
    """A pod bound to this node, and what the API has said about its end so far."""

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.worker: PodWorker | None = None
        self.ending = asyncio.Event()
        self.gone = False
        self._grace: float | None = None

    def delete(self, grace: float) -> None:
        """The object is marked for deletion; repeated with a shorter grace it hurries."""
        if self._grace is None or grace < self._grace:
            self._grace = grace
            if self.worker:
                self.worker.stop(grace)
        self.ending.set()


class LocalNodeAgent:
    """Scheduler and kubelet for one API server."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._tracked: dict[str, TrackedPod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._binding: set[str] = set()

    async def run(self) -> None:
        """Follow the pods for ever."""
        async for pods, complete in self._context.api.pods():
            for pod in pods:
                self._observe(pod)
            if complete:
                present = {pod["metadata"]["uid"] for pod in pods}
                for uid in self._tracked.keys() - present:
                    self._forget(uid)

    def _observe(self, pod: Object) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        if is_gone(pod):
            self._forget(meta["uid"])
        elif not spec.get("nodeName"):
            if _is_ours_to_schedule(pod) and meta["uid"] not in self._binding:
                self._binding.add(meta["uid"])
                self._spawn(self._bind(pod))
        elif spec["nodeName"] == self._context.name:
            self._follow(pod)

    def _follow(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        tracked = self._tracked.get(uid)
        if tracked is None:
            tracked = self._tracked[uid] = TrackedPod(pod)
            self._spawn(self._manage(tracked))
        if "deletionTimestamp" in pod["metadata"]:
            tracked.delete(pod["metadata"].get("deletionGracePeriodSeconds") or 0)

    def _forget(self, uid: str) -> None:
        if tracked := self._tracked.pop(uid, None):
            tracked.gone = True
            tracked.delete(0)

    async def _manage(self, tracked: TrackedPod) -> None:
        """From first sight to the end of one pod."""
        pod = tracked.pod
        phase = pod.get("status", {}).get("phase")
        if phase == "Running" and pod["spec"]["restartPolicy"] == "Never":
            await self._context.api.insist("PATCH", f"{pod_path(pod)}/status", {"status": lost_status(pod)})
        elif phase not in ("Succeeded", "Failed") and not tracked.ending.is_set():
            tracked.worker = PodWorker(self._context, pod)
            await tracked.worker.run()
        await tracked.ending.wait()
        if not tracked.gone:
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
            await self._context.api.insist("DELETE", pod_path(pod), options)
        if tracked.worker:
            tracked.worker.discard()

    async def _bind(self, pod: Object) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._context.name},
        }
        await self._context.api.insist("POST", f"{pod_path(pod)}/binding", body)
        self._binding.discard(pod["metadata"]["uid"])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """A background task; the set keeps it alive, and an unexpected error reaches the log."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a pod's task failed", exc_info=error)


def _is_ours_to_schedule(pod: Object) -> bool:
    spec = pod["spec"]
    mine = spec.get("schedulerName", "default-scheduler") == "default-scheduler"
    return mine and not spec.get("schedulingGates") and "deletionTimestamp" not in pod["metadata"]
