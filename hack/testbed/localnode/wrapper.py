"""The local node as a fixture sees it: a child process with a handle for chaos."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from testbed.controlplane import ControlPlane
from testbed.localnode.images import DEFAULT_IMAGES, Image
from testbed.localnode.objects import LEASES
from testbed.localnode.process import PID_FILE
from testbed.paths import HACK
from testbed.processes import Daemon, environment_for_tools
from testbed.server import Server

READY_SECONDS = 60.0
"""Far above the usual two: most of it is the import of the Kubernetes client."""


class LocalNode(Server):
    """Runs `python -m testbed.localnode` beside a `ControlPlane`, as a context manager.

    `images` adds to (or replaces in) the known images, see `testbed.localnode.images`.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        images: Mapping[str, Image] | None = None,
        directory: Path | None = None,
        name: str = "local-node",
    ) -> None:
        self.name = name
        self._started = datetime.now(UTC)
        self._control_plane = control_plane
        super().__init__(directory, "localnode")
        self._daemon = Daemon(
            "localnode",
            [sys.executable, "-m", "testbed.localnode", *self._flags(DEFAULT_IMAGES | dict(images or {}))],
            self.directory / "localnode.log",
            environment_for_tools() | {"PYTHONPATH": str(HACK)},
        )

    def start(self) -> None:
        """Start the node and wait until it has registered and renewed its lease."""
        self._started = datetime.now(UTC)
        self._daemon.start()
        self._daemon.wait_until(self._ready, READY_SECONDS)

    def stop(self) -> None:
        """Stop the node; its containers die with it, as in a power cut."""
        self._daemon.stop()
        super().stop()

    def kill(self) -> None:
        """SIGKILL to the node; `start` brings it back, and it finds its pods' processes gone."""
        self._daemon.kill()

    def kill_pod(self, namespace: str, name: str) -> int:
        """SIGKILL to all processes of a pod; its containers end with exit code 137.

        Returns how many containers were running. What follows is up to the restart policy.
        """
        pid_files = list(self.directory.glob(f"pods/{namespace}_{name}_*/containers/*/{PID_FILE}"))
        for pid_file in pid_files:
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGUSR1)
        return len(pid_files)

    def _flags(self, images: Mapping[str, Image]) -> list[str]:
        """The node logs in with a certificate of its own, so that audits tell its writes from others."""
        authority = self._control_plane.authority
        authority.server("node")
        mapping = self.directory / "images.json"
        mapping.write_text(json.dumps({name: image.to_json() for name, image in images.items()}))
        kubeconfig = self._control_plane.certificate_kubeconfig(self.name, groups=("system:masters",))
        return [
            f"--name={self.name}",
            f"--kubeconfig={kubeconfig}",
            f"--directory={self.directory}",
            f"--images={mapping}",
            f"--keys={authority.directory}",
        ]

    def _ready(self) -> bool:
        """The Node object outlives its node; only the lease tells that this one is there."""
        lease = self._control_plane.get(f"{LEASES}/{self.name}")
        if lease is None:
            return False
        return datetime.fromisoformat(json.loads(lease)["spec"]["renewTime"]) >= self._started
