"""The operator as a process: how it starts, waits, takes over, stops, and what it says when it cannot."""

import pytest

from testbed import ControlPlane

pytestmark = pytest.mark.integration


def test_it_leads_is_healthy_and_ends_in_peace(operator, namespace: str, installed: ControlPlane) -> None:
    process = operator()
    process.start()
    assert process.probe("healthz") == "ok"
    assert "ninefold_leader 1.0" in process.metrics()
    assert process.stop() == 0
    lease = installed.kubectl(
        "get", "lease", "ninefold", f"--namespace={namespace}", "--output=jsonpath={.spec.holderIdentity}"
    )
    assert lease.stdout == ""
