"""The real Job controller over the local node: it counts what the node reports."""

import pytest

from testbed.fixtures import Kubectl
from testbed.workloads import Workloads, container_state, true_conditions

pytestmark = pytest.mark.integration

FAIL = 'echo "no traces found" > "$MESSAGE"; exit 42'
TELLING = {"env": [{"name": "MESSAGE", "value": "/dev/termination-log"}]}


def test_a_job_with_two_pods_succeeds(workloads: Workloads) -> None:
    workloads.job("pair", "python", "-c", "print('done')", job={"completions": 2, "parallelism": 2})
    job = workloads.job_with("pair", "Complete")
    assert job["status"]["succeeded"] == 2
    assert {pod["status"]["phase"] for pod in workloads.pods_of("pair")} == {"Succeeded"}


def test_a_failing_job_reaches_its_backoff_limit(workloads: Workloads) -> None:
    workloads.job("failing", "sh", "-c", FAIL, container=TELLING, job={"backoffLimit": 1})
    job = workloads.job_with("failing", "Failed")
    assert true_conditions(job)["Failed"]["reason"] == "BackoffLimitExceeded"
    assert job["status"]["failed"] == 2
    endings = [container_state(pod, "terminated") for pod in workloads.pods_of("failing")]
    assert [(end["exitCode"], end["reason"], end["message"]) for end in endings] == [
        (42, "Error", "no traces found\n"),
        (42, "Error", "no traces found\n"),
    ]


def test_a_pod_failure_policy_sees_the_exit_code(workloads: Workloads) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    policy = {"backoffLimit": 5, "podFailurePolicy": {"rules": [rule]}}
    workloads.job("hopeless", "sh", "-c", FAIL, container=TELLING, job=policy)
    job = workloads.job_with("hopeless", "Failed")
    assert true_conditions(job)["Failed"]["reason"] == "PodFailurePolicy"
    assert job["status"]["failed"] == 1


def test_a_job_past_its_deadline_is_ended(workloads: Workloads) -> None:
    workloads.job("slow", "sleep", "1000", job={"activeDeadlineSeconds": 1})
    job = workloads.job_with("slow", "Failed")
    assert true_conditions(job)["Failed"]["reason"] == "DeadlineExceeded"


def test_deleting_a_job_in_the_background_ends_its_pods(workloads: Workloads, kubectl: Kubectl) -> None:
    workloads.job("cancelled", "sleep", "1000")
    workloads.until("job", "cancelled", lambda job: job["status"].get("ready") == 1)
    kubectl("delete", "job", "cancelled", "--cascade=background")
    for pod in workloads.pods_of("cancelled"):
        kubectl("wait", "--for=delete", f"pod/{pod['metadata']['name']}", "--timeout=60s")
