"""What only the real API server can refuse, and how the user hears of it."""

import pytest
from integration.conftest import MakeOperator
from integration.loop import Loop

pytestmark = pytest.mark.integration

CONTRADICTION = {"resources": {"requests": {"memory": "4Gi"}, "limits": {"memory": "1Gi"}}}


def test_jobs_that_the_api_server_does_not_take_stall_the_run_with_its_words(
    loop: Loop, operator: MakeOperator
) -> None:
    operator().start()
    loop.set_up(jobs=CONTRADICTION)
    message = loop.until("nfr", "nightly-g1", "Stalled", "True", "WriteRefused")
    assert "must be less than or equal to memory limit" in message
    loop.patch("nfr", "nightly-g1", {"cancel": True})
    loop.until("nfr", "nightly-g1", "Succeeded", "False", "Cancelled")


@pytest.mark.slow
def test_a_job_whose_pods_nobody_makes_says_where_to_look(loop: Loop, operator: MakeOperator) -> None:
    operator().start()
    loop.set_up(jobs={"serviceAccountName": "nobody"})
    message = loop.until("nfr", "nightly-g1", "Stalled", "True", "PodCannotStart")
    assert "kubectl describe job nightly-g1-analyze-" in message
    loop.kubectl("create", "serviceaccount", "nobody")
    loop.until("nfr", "nightly-g1", "Succeeded", "True", "Promoted", seconds=240)
