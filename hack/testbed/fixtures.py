"""The test bed as pytest fixtures: `pytest_plugins = ["testbed.fixtures"]`.

The three servers live as long as the test process and are shared by all its tests; what keeps tests
apart is a namespace each. A test that breaks a server on purpose (restarts, kills) leaves it running.
"""

import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from testbed import ControlPlane, LocalNode, RedisServer, User
from testbed.workloads import Workloads

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

OPERATOR = User(token="testbed-operator", name="ninefold-operator")
"""A user without any rights but those that a test binds to it."""

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane; `kubeconfig("admin")` and `kubeconfig("ninefold-operator")` exist."""
    with ControlPlane(users=[OPERATOR]) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A running Redis; keys of other tests are in it."""
    with RedisServer() as running:
        yield running


@pytest.fixture(scope="session")
def local_node(control_plane: ControlPlane) -> Iterator[LocalNode]:
    """A node that runs pods; without it they stay `Pending`."""
    with LocalNode(control_plane) as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own, deleted afterwards (nobody waits for that)."""
    name = f"test-{secrets.token_hex(4)}"
    control_plane.create_namespace(name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(control_plane: ControlPlane, namespace: str) -> Kubectl:
    """`kubectl("get", "pods", stdin=None, check=True, user="admin")` in the test's namespace."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return control_plane.kubectl(f"--namespace={namespace}", *arguments, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def workloads(kubectl: Kubectl, local_node: LocalNode) -> Workloads:
    """Pods and Jobs that run, in the test's namespace."""
    return Workloads(kubectl)


@pytest_asyncio.fixture
async def kube(control_plane: ControlPlane) -> "AsyncIterator[ApiClient]":
    """A `kubernetes.aio` client logged in as the administrator."""
    from kubernetes.aio.config import new_client_from_config  # noqa: PLC0415  a second that unit tests need not wait

    kubeconfig = str(control_plane.kubeconfig())
    client = await new_client_from_config(kubeconfig, persist_config=False)  # type: ignore[no-untyped-call]
    async with client:
        yield client
