"""The loop on the real API server with real Jobs, whose stages are scripted: so that what is tried is the operator."""

import json

import pytest
from integration.conftest import MakeOperator
from integration.loop import Loop

pytestmark = pytest.mark.integration


def test_from_manifests_to_a_promoted_version(loop: Loop, operator: MakeOperator) -> None:
    process = operator()
    process.start()
    loop.set_up()
    loop.until("nftb", "traces", "Ready", "True", "Probed")
    loop.until("nfa", "support", "Ready", "True")
    message = loop.until("nfr", "nightly-g1", "Succeeded", "True", "Promoted")
    served = loop.one("nfa", "support")["status"]["stableVersion"]
    assert served.startswith("v2-")
    assert served in message
    pointer = loop.data("support-prompts")
    assert "List the rooms before you name one." in pointer["system"]
    assert json.loads(pointer["release.json"])["stable"] == served
    assert 'ninefold_runs_total{result="Promoted"} 1.0' in process.metrics()
