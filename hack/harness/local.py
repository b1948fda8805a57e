"""A whole cluster for one program: control plane, Redis, local node, and the operator with the chart's rights.

Everything is a child process that dies with this one (see `testbed.shim`). The operator is not a pod here, since the
local node cannot give a process a token at a fixed path; it logs in with a token of the chart's service account
instead, so it may do what the chart's RBAC lets it do and nothing else.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from harness.follow import Say
from harness.kubectl import Kubectl, Manifest
from testbed import ControlPlane, LocalNode, RedisServer
from testbed.paths import REPOSITORY
from testbed.processes import Daemon, environment_for_tools, free_port

SYSTEM = "ninefold-system"
"""Namespace that the chart is rendered for."""

JOBS_IMAGE = "ninefold-jobs:dev"
"""A name that the local node knows; it stands for this checkout."""

RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


class LocalCluster:
    """As a context manager: a running cluster with a running operator. `directory` keeps logs and data."""

    def __init__(self, directory: Path, say: Say) -> None:
        self.directory = directory
        self._say = say
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self, name: str, command: Sequence[str], **environment: str) -> Daemon:
        """Start a program beside the cluster, with this checkout importable; it ends with the cluster."""
        paths = f"{REPOSITORY / 'operator'}:{REPOSITORY / 'hack'}"
        ours = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
        daemon = Daemon(name, command, self.directory / f"{name}.log", environment_for_tools() | ours | environment)
        daemon.start()
        self._stack.callback(daemon.stop)
        return daemon

    def _start(self) -> None:
        self._say("starting the control plane (the first time on a machine it is compiled: minutes)")
        self.control_plane = self._stack.enter_context(ControlPlane(self.directory / "controlplane"))
        self.kubeconfig = self.control_plane.kubeconfig()
        self.kubectl = Kubectl.of_kubeconfig(
            str(self.control_plane.binaries / "kubectl"), str(self.kubeconfig), "default"
        )
        self._say("applying the CRDs and the chart's roles")
        self.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        self.kubectl.run("create", "namespace", SYSTEM)
        rights = self._rights()
        self.kubectl.within(SYSTEM).apply(rights)
        self.redis = self._stack.enter_context(RedisServer(self.directory / "redis"))
        self._stack.enter_context(LocalNode(self.control_plane, directory=self.directory / "node"))
        account = next(one["metadata"]["name"] for one in rights if one["kind"] == "ServiceAccount")
        self._say(f"starting the operator as {SYSTEM}/{account}")
        self.operator = self._operator(account)

    def _rights(self) -> list[Manifest]:
        """What the rendered chart says about who may do what."""
        chart = REPOSITORY / "charts" / "ninefold"
        command = [str(self.control_plane.binaries / "helm"), "template", "ninefold", str(chart), "-n", SYSTEM]
        rendered = subprocess.run(command, capture_output=True, text=True, env=environment_for_tools(), check=True)
        return [one for one in yaml.safe_load_all(rendered.stdout) if one and one["kind"] in RIGHTS]

    def _operator(self, account: str) -> Daemon:
        login = self.control_plane.service_account_kubeconfig(SYSTEM, account)
        return self.start(
            "operator",
            [sys.executable, "-m", "ninefold.controllers"],
            KUBECONFIG=str(login),
            NINEFOLD_REDIS_URL=self.redis.url,
            NINEFOLD_JOBS_REDIS_URL=self.redis.url,
            NINEFOLD_JOBS_IMAGE=JOBS_IMAGE,
            NINEFOLD_ALLOW_HOST_PATH="true",
            NINEFOLD_NAMESPACE=SYSTEM,
            NINEFOLD_METRICS_PORT=str(free_port()),
        )
