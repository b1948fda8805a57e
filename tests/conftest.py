"""Fixtures for the whole suite: the test bed (control plane, Redis, local node), started on first use."""

from pathlib import Path

import pytest

from testbed import ControlPlane

pytest_plugins = ["testbed.fixtures"]

CRDS = Path(__file__).parents[1] / "crds"


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """A control plane that knows our kinds."""
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CRDS}")
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"--filename={CRDS}")
    return control_plane
