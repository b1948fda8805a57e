"""What the tests of the operator on a real API server share: logged-in clients, rights, and the operator's process."""

from collections.abc import AsyncIterator

import pytest

from ninefold.kube.client import KubeClient, load_configuration
from testbed import ControlPlane


@pytest.fixture
async def client(installed: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """Our client, as the administrator."""
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig()))
    async with KubeClient(await load_configuration()) as client:
        yield client
