"""What the tests of the operator on a real API server share: its rights, its process, and waiting by reading.

The operator runs as it does in a cluster: a process of its own, logged in with a token of its service account, with
exactly the rights that the chart gives it for the namespace of the test.
"""

import json
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


CRDS = REPOSITORY / "crds"
MakeOperator = Callable[..., OperatorProcess]


def account_of_the_chart(control_plane: ControlPlane, release: str, *watched: str) -> Path:
    """A kubeconfig with a token of the chart's service account, and with the rights that the chart gives it."""
    options = {
        "namespace": release,
        "kube-version": KUBERNETES_VERSION,
        "set-json": f"watch.namespaces={json.dumps(watched)},rbac.aggregateToDefaultRoles=false",
    }
    only = [f"--show-only=templates/{part}.yaml" for part in ("rbac", "serviceaccount")]
    flags = [f"--{name}={value}" for name, value in options.items()] + only
    command = [str(binaries() / "helm"), "template", "ninefold", str(REPOSITORY / "charts" / "ninefold"), *flags]
    rights = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    control_plane.kubectl("apply", f"--namespace={release}", "--filename=-", stdin=rights)
    return control_plane.service_account_kubeconfig(release, "ninefold")


@pytest.fixture
def account(installed: ControlPlane, namespace: str) -> Path:
    """The operator's account with a Role in the test's namespace, and no right outside of it."""
    return account_of_the_chart(installed, namespace, namespace)


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
def loop(
    installed: ControlPlane, namespace: str, kubectl: Kubectl, redis_server: RedisServer, local_node: LocalNode
) -> Loop:
    """The test's namespace, in which the loop can be set up and its Jobs run."""
    return Loop(installed, namespace, kubectl, redis_server)
