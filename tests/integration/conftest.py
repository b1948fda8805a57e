"""What the tests of the operator on a real API server share: its rights, its process, and waiting by reading.

The operator runs as it does in a cluster: a process of its own, logged in with a token of its service account, with
exactly the rights that the chart gives it for the namespace of the test.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from integration.loop import Loop
from integration.process import OperatorProcess

from ninefold.kube.client import KubeClient, load_configuration
from testbed import ControlPlane, LocalNode, RedisServer
from testbed.binaries import KUBERNETES_VERSION, binaries
from testbed.fixtures import Kubectl
from testbed.paths import REPOSITORY


@pytest.fixture
async def client(installed: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """Our client, as the administrator."""
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig()))
    async with KubeClient(await load_configuration()) as client:
        yield client


MakeOperator = Callable[..., OperatorProcess]


@pytest.fixture
def account(installed: ControlPlane, namespace: str) -> Path:
    """A kubeconfig with the token of the chart's service account, which may do what the chart's Role says."""
    options = {
        "namespace": namespace,
        "kube-version": KUBERNETES_VERSION,
        "set": f"watch.namespaces={{{namespace}}},rbac.aggregateToDefaultRoles=false",
    }
    only = [f"--show-only=templates/{part}.yaml" for part in ("rbac", "serviceaccount")]
    flags = [f"--{name}={value}" for name, value in options.items()] + only
    command = [str(binaries() / "helm"), "template", "ninefold", str(REPOSITORY / "charts" / "ninefold"), *flags]
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


@pytest.fixture
def loop(kubectl: Kubectl, redis_server: RedisServer, local_node: LocalNode) -> Loop:
    """The test's namespace, in which the loop can be set up and its Jobs run."""
    return Loop(kubectl, redis_server)
