"""The phase of a pod from the states of its containers: kubelet's table."""

import pytest

from testbed.localnode.objects import Object
from testbed.localnode.status import ContainerRecord, Verdict, phase, pod_status, running, terminated, waiting

CREATING, RUNNING = waiting("ContainerCreating"), running("2026-01-01T00:00:00Z")
GOOD, BAD = (terminated(code, "2026-01-01T00:00:00Z", "", "local://x") for code in (0, 1))


def records(*states: Object) -> list[ContainerRecord]:
    return [ContainerRecord({"name": f"c{number}", "image": "i"}, state) for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("policy", "init", "main", "stopped", "expected"),
    [
        ("Never", [], [CREATING], False, "Pending"),
        ("Never", [RUNNING], [CREATING], False, "Pending"),
        ("Never", [BAD], [CREATING], False, "Failed"),
        ("OnFailure", [BAD], [CREATING], False, "Pending"),
        ("Never", [GOOD], [RUNNING], False, "Running"),
        ("Never", [], [RUNNING, CREATING], False, "Pending"),
        ("Never", [], [RUNNING, BAD], False, "Running"),
        ("Never", [], [GOOD, GOOD], False, "Succeeded"),
        ("Never", [], [GOOD, BAD], False, "Failed"),
        ("OnFailure", [], [GOOD], False, "Succeeded"),
        ("OnFailure", [], [BAD], False, "Running"),
        ("Always", [], [GOOD], False, "Running"),
        ("Always", [], [RUNNING], True, "Running"),
        ("Always", [], [BAD], True, "Failed"),
        ("Always", [], [GOOD], True, "Succeeded"),
        ("Never", [], [CREATING], True, "Failed"),
    ],
)
def test_phase(policy: str, init: list[Object], main: list[Object], stopped: bool, expected: str) -> None:
    assert phase(policy, records(*init), records(*main), stopped=stopped) == expected


def test_a_restarting_container_keeps_its_pod_running() -> None:
    [record] = records(waiting("CrashLoopBackOff"))
    record.last_state = BAD
    assert phase("OnFailure", [], [record], stopped=False) == "Running"


def test_a_verdict_waits_for_the_processes_to_end() -> None:
    pod = {"metadata": {}, "spec": {"restartPolicy": "Never"}}
    verdict = Verdict("DeadlineExceeded", "too late")
    started = "2026-01-01T00:00:00Z"
    ending = pod_status(pod, [], records(RUNNING), started=started, stopped=True, verdict=verdict)
    ended = pod_status(pod, [], records(GOOD), started=started, stopped=True, verdict=verdict)
    assert (ending["phase"], ending["reason"]) == ("Running", None)
    assert (ended["phase"], ended["reason"], ended["message"]) == ("Failed", "DeadlineExceeded", "too late")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = {"type": "Ready", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    pod = {"metadata": {}, "spec": {"restartPolicy": "Never"}, "status": {"conditions": [before]}}

    def ready_since(state: Object) -> str:
        status = pod_status(pod, [], records(state), started="2026-01-01T00:00:00Z")
        return next(one["lastTransitionTime"] for one in status["conditions"] if one["type"] == "Ready")

    assert ready_since(CREATING) == "2020-01-01T00:00:00Z"
    assert ready_since(RUNNING) > "2020-01-01T00:00:00Z"
