"""Fixtures for the whole suite: the test bed (control plane, Redis, local node), started on first use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import ControlPlane, LocalNode
from testbed.localnode.images import PYTHON, Image
from testbed.paths import REPOSITORY

pytest_plugins = ["testbed.fixtures"]

CRDS = Path(__file__).parents[1] / "crds"


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """A control plane that knows our kinds."""
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CRDS}")
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"--filename={CRDS}")
    return control_plane


@pytest.fixture(scope="session")
def local_node(control_plane: ControlPlane) -> Iterator[LocalNode]:
    """A node that runs pods, also those of the image `scripted-jobs`: the real frame around scripted stages."""
    tests = REPOSITORY / "tests"
    path = os.pathsep.join(map(str, (tests / "integration" / "scripted", tests, REPOSITORY / "operator")))
    scripted = Image(environment={**PYTHON.environment, "PYTHONPATH": path})
    with LocalNode(control_plane, images={"scripted-jobs": scripted}) as running:
        yield running
