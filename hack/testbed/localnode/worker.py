"""The life of one pod on the local node, as one asyncio task.

The life is written in its order: volumes, init containers one by one, containers side by side. A
stop (deletion, deadline) signals the running processes and cancels the life wherever it stands; a
container that has a process then waits for its end and records it. A second task publishes the
status whenever a record changed, and keeps trying while the API server is away: processes run on
meanwhile, and the last word always gets through.
"""

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from kubernetes.aio.client import ApiException

from testbed.localnode.api import UNREACHABLE, Api
from testbed.localnode.container import ContainerRunner, PodContext
from testbed.localnode.environment import ConfigError, until_configured
from testbed.localnode.images import Image
from testbed.localnode.objects import Object
from testbed.localnode.status import ContainerRecord, Verdict, pod_status, timestamp, waiting
from testbed.localnode.volumes import Volumes

REFRESH_SECONDS = 1.0
"""Until mounted ConfigMaps and Secrets of a running pod are compared with the API again."""

TOO_LATE = Verdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")

log = logging.getLogger("localnode")


@dataclass(frozen=True)
class NodeContext:
    """What every pod needs of its node."""

    name: str
    api: Api
    directory: Path
    images: dict[str, Image]


class PodWorker:
    """Runs one pod from binding to its last status."""

    def __init__(self, node: NodeContext, pod: Object) -> None:
        self._api = node.api
        self._pod = pod
        self.directory = pod_directory(node.directory, pod)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._volumes = Volumes(node.api, pod, self.directory / "volumes")
        self._changed = asyncio.Event()
        context = PodContext(node.api, node.images, pod, self.directory, self._volumes, self._changed.set)
        policy = pod["spec"]["restartPolicy"]
        self._init = [
            ContainerRunner(context, ContainerRecord(spec), "Never" if policy == "Never" else "OnFailure")
            for spec in pod["spec"].get("initContainers", [])
        ]
        self._main = [
            ContainerRunner(context, ContainerRecord(spec, waiting("ContainerCreating")), policy)
            for spec in pod["spec"]["containers"]
        ]
        self._started = pod.get("status", {}).get("startTime") or timestamp()
        self._verdict: Verdict | None = None
        self._stopped = False
        self._life = asyncio.create_task(self._live())

    async def run(self) -> None:
        """Until the pod has ended and its final status is published, or the pod object is gone."""
        helpers = [
            asyncio.create_task(self._publish_changes()),
            asyncio.create_task(self._refresh_volumes()),
            asyncio.create_task(self._enforce_deadline()),
        ]
        try:
            await self._life
        except asyncio.CancelledError:
            if not self._stopped:  # not the pod ends but the node
                raise
        except Exception as error:
            log.exception("running %s", self.directory.name)
            self._stopped, self._verdict = True, Verdict("LocalNodeError", repr(error))
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await self._publish()

    def stop(self, grace: float, verdict: Verdict | None = None) -> None:
        """End the pod: SIGTERM now, SIGKILL after `grace` seconds. A second call may shorten it."""
        self._verdict = self._verdict or verdict
        for container in (*self._init, *self._main):
            if grace > 0:
                container.terminate()
            asyncio.get_running_loop().call_later(grace, container.kill)
        if not self._stopped:
            self._stopped = True
            self._life.cancel()

    def discard(self) -> None:
        """Remove the pod's directory, logs included: its object is gone."""
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _live(self) -> None:
        self._changed.set()
        await until_configured(self._volumes.prepare, self._volume_missing)
        for container in self._init:
            await container.run()
            if not container.record.succeeded:
                return
        async with asyncio.TaskGroup() as group:
            for container in self._main:
                group.create_task(container.run())

    async def _refresh_volumes(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self._volumes.refresh()
            except (ApiException, *UNREACHABLE) as error:
                log.warning("refreshing volumes of %s: %s", self.directory.name, error)

    async def _enforce_deadline(self) -> None:
        if seconds := self._pod["spec"].get("activeDeadlineSeconds"):
            await asyncio.sleep(seconds)
            self.stop(self._pod["spec"].get("terminationGracePeriodSeconds", 30), TOO_LATE)

    async def _publish_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._publish()

    async def _publish(self) -> None:
        """Write the status as it is now; the UID keeps it from a namesake that came later."""
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": self._status()}
        if answer := await self._api.insist("PATCH", f"{pod_path(self._pod)}/status", body):
            self._pod["status"] = answer["status"]

    def _status(self) -> Object:
        init, main = ([one.record for one in group] for group in (self._init, self._main))
        return pod_status(self._pod, init, main, started=self._started, stopped=self._stopped, verdict=self._verdict)

    def _volume_missing(self, error: ConfigError) -> None:
        """kubelet tells of this by event only; the log line is where to look on a local node."""
        log.warning("volumes of %s: %s", self.directory.name, error)


def pod_path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def pod_directory(node_directory: Path, pod: Object) -> Path:
    """Names no two pods share: a namesake that comes later has another UID."""
    meta = pod["metadata"]
    return node_directory / "pods" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
