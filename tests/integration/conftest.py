"""What the tests of the operator on a real API server share: its rights, its process, and waiting by reading.

The operator runs as it does in a cluster: a process of its own, logged in with a token of its service account, with
exactly the rights that the chart gives it for the namespace of the test.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ninefold.kube.client import KubeClient, load_configuration
from testbed import ControlPlane, RedisServer
from testbed.binaries import KUBERNETES_VERSION, binaries
from testbed.paths import REPOSITORY
from testbed.processes import Daemon, environment_for_tools, free_port

PATIENCE = 60.0
"""Seconds for what takes one or two on a machine that is not busy."""
POLL = 0.1


@pytest.fixture
async def client(installed: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """Our client, as the administrator."""
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig()))
    async with KubeClient(await load_configuration()) as client:
        yield client


class OperatorProcess:
    """`python -m ninefold.controllers` with what the chart would set; `start` and `kill` may alternate."""

    def __init__(self, kubeconfig: Path, redis_url: str, namespace: str, log: Path, **environment: str) -> None:
        self._health, self._metrics = free_port(), free_port()
        self._daemon = Daemon(
            "operator",
            [sys.executable, "-m", "ninefold.controllers"],
            log,
            environment_for_tools()
            | {
                "PYTHONPATH": str(REPOSITORY / "operator"),
                "KUBECONFIG": str(kubeconfig),
                "NINEFOLD_REDIS_URL": redis_url,
                "NINEFOLD_JOB_REDIS_URL": redis_url,
                "NINEFOLD_JOB_IMAGE": "ninefold-jobs",
                "NINEFOLD_WATCH_NAMESPACES": namespace,
                "NINEFOLD_LEASE_NAMESPACE": namespace,
                "NINEFOLD_HEALTH_PORT": str(self._health),
                "NINEFOLD_METRICS_PORT": str(self._metrics),
                "NINEFOLD_ALLOW_HOST_PATH": "true",
            }
            | environment,
        )
        self.log = log

    def start(self, until: str = "leading") -> None:
        """Start, and wait until `/readyz` says `until`."""
        self._daemon.start()
        self._daemon.wait_until(lambda: self.probe("readyz") == until, PATIENCE)

    def launch(self) -> None:
        """Start without waiting."""
        self._daemon.start()

    def kill(self) -> None:
        """SIGKILL, as when a node fails."""
        self._daemon.kill()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self._daemon.stop(grace=30)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait until the process has ended by itself; returns its exit code."""
        process = self._daemon._process
        assert process is not None
        return process.wait(PATIENCE)

    @property
    def alive(self) -> bool:
        return self._daemon.alive

    def probe(self, path: str) -> str:
        """What `/healthz` or `/readyz` says; empty while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def messages(self) -> list[dict[str, Any]]:
        """The log so far, parsed."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


MakeOperator = Callable[..., OperatorProcess]


@pytest.fixture
def account(installed: ControlPlane, namespace: str) -> Path:
    """A kubeconfig with the token of the chart's service account, which may do what the chart's Role says."""
    command = [
        str(binaries() / "helm"), "template", "ninefold", str(REPOSITORY / "charts" / "ninefold"),
        f"--namespace={namespace}", f"--kube-version={KUBERNETES_VERSION}", f"--set=watch.namespaces={{{namespace}}}", "--set=rbac.aggregateToDefaultRoles=false",
        "--show-only=templates/rbac.yaml", "--show-only=templates/serviceaccount.yaml",
    ]  # fmt: skip
    rights = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    installed.kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=rights)
    return installed.service_account_kubeconfig(namespace, "ninefold")


@pytest.fixture
def operator(account: Path, redis_server: RedisServer, namespace: str, tmp_path: Path) -> Iterator[MakeOperator]:
    """`operator(NINEFOLD_WORKERS="2")` makes an operator of the test's namespace, not started yet."""
    made: list[OperatorProcess] = []

    def make(**environment: str) -> OperatorProcess:
        log = tmp_path / f"operator-{len(made)}.log"
        made.append(OperatorProcess(account, redis_server.url, namespace, log, **environment))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        if os.environ.get("NINEFOLD_SHOW_LOGS"):
            sys.stderr.write(process.log.read_text())


def eventually(seen: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Poll until `seen()` is true, and return it. The API server is the only witness, and it cannot be awaited here."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(POLL)
    return found
