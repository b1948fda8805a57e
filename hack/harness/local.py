"""A whole cluster for one program: control plane, Redis, local node, and the operator as the chart describes it.

Everything is a child process that dies with this one (see `testbed.shim`). The operator is not a pod here, since the
local node cannot give a process a token at a fixed path. But its environment is that of the rendered chart's container,
and it logs in with a token of the chart's service account: it may do what the chart lets it do and nothing else.
"""

import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from harness.follow import Say
from harness.kubectl import Kubectl, Manifest
from testbed import ControlPlane, LocalNode, RedisServer
from testbed.binaries import KUBERNETES_VERSION
from testbed.paths import REPOSITORY
from testbed.ports import free_port
from testbed.processes import Daemon, environment_for_tools

SYSTEM = "ninefold-system"
"""Namespace that the chart is rendered for."""

VALUES = {
    "allowHostPath": "true",
    "jobs.image.repository": "ninefold-jobs",  # a name that the local node knows; it stands for this checkout
    "jobs.image.tag": "dev",
    "redis.builtIn.enabled": "false",
}
"""What this user sets in the chart, beside the URL of Redis."""

RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
OPERATOR_SECONDS = 60


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
        self.redis = self._stack.enter_context(RedisServer(self.directory / "redis"))
        self._stack.enter_context(LocalNode(self.control_plane, directory=self.directory / "node"))
        chart = self._chart()
        rights = [one for one in chart if one["kind"] in RIGHTS]
        self._say("applying the CRDs and the chart's roles")
        self.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        self.kubectl.run("create", "namespace", SYSTEM)
        self.kubectl.within(SYSTEM).apply(rights)
        pod = next(one for one in chart if one["kind"] == "Deployment")["spec"]["template"]["spec"]
        self._say(f"starting the operator as {SYSTEM}/{pod['serviceAccountName']}")
        self.operator = self._operator(pod)

    def _chart(self) -> list[Manifest]:
        """The chart as this user would install it, CRDs aside."""
        chart = REPOSITORY / "charts" / "ninefold"
        command = [str(self.control_plane.binaries / "helm"), "template", "ninefold", str(chart), "-n", SYSTEM]
        command.append(f"--kube-version={KUBERNETES_VERSION}")
        for name, value in (VALUES | {"redis.url": self.redis.url}).items():
            command += ["--set", f"{name}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment_for_tools(), check=False)
        if done.returncode:
            raise RuntimeError(f"the chart cannot be rendered: {done.stderr.strip()}")
        return [one for one in yaml.safe_load_all(done.stdout) if one]

    def _operator(self, pod: Manifest) -> Daemon:
        """Its container's command and environment, with ports of this machine and a login from outside."""
        container = pod["containers"][0]
        ports = {name: str(free_port()) for name in ("NINEFOLD_METRICS_PORT", "NINEFOLD_HEALTH_PORT")}
        login = self.control_plane.service_account_kubeconfig(SYSTEM, pod["serviceAccountName"])
        environment = {one["name"]: str(one["value"]) for one in container["env"]} | ports | {"KUBECONFIG": str(login)}
        daemon = self.start("operator", [sys.executable, *container["command"][1:]], **environment)
        health = f"http://127.0.0.1:{ports['NINEFOLD_HEALTH_PORT']}/readyz"
        daemon.wait_until(lambda: _ready(health), OPERATOR_SECONDS)
        return daemon


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
