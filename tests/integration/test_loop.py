"""The loop on the real API server with real Jobs, whose stages are scripted: so that what is tried is the operator."""

import json

import pytest
from integration.conftest import MakeOperator
from integration.loop import Loop, Manifest, differences
from integration.process import eventually

from testbed import LocalNode

pytestmark = pytest.mark.integration

EDIT = "List the rooms before you name one."
APPROVAL = {"approval": {"required": True}}


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
    assert EDIT in pointer["system"]
    assert json.loads(pointer["release.json"])["stable"] == served
    assert 'ninefold_runs_total{result="Promoted"} 1.0' in process.metrics()


RUN = "nightly-g2"
"""The run that starts when the policy, applied suspended, is let go."""


def start_held(loop: Loop, *stages: str, **policy: object) -> None:
    """Set the loop up and start its run, whose Jobs wait in these stages."""
    loop.set_up(suspend=True, **policy)
    loop.hold("nfa", "support", *stages)
    loop.patch("nfp", "nightly", {"suspend": False})


def proved_and_approved(loop: Loop) -> Manifest:
    """Approve the run that waits for it; the state at rest."""
    loop.until("nfr", RUN, "ReplayPassed", "True")
    loop.patch("nfr", RUN, {"approval": loop.one("nfr", RUN)["status"]["candidate"]["hash"]})
    loop.until("nfr", RUN, "Succeeded", "True", "Promoted")
    eventually(lambda: loop.one("nfp", "nightly")["status"].get("lastResult") == "Promoted", "the policy knows")
    loop.until("nftb", "traces", "Ready", "True")
    return loop.state_at_rest()


@pytest.fixture
def undisturbed(loop: Loop, operator: MakeOperator) -> Manifest:
    """The final state of a history without accidents; the namespace is empty again afterwards."""
    process = operator()
    process.start()
    start_held(loop, **APPROVAL)
    state = proved_and_approved(loop)
    process.stop()
    loop.kubectl("delete", "nfp,nfa,nftb,nfr,jobs,configmaps", "--all", "--cascade=foreground")
    return state


@pytest.mark.slow
def test_an_operator_that_is_killed_in_every_phase_ends_where_an_undisturbed_one_ends(
    loop: Loop, operator: MakeOperator, undisturbed: Manifest
) -> None:
    phases = {
        "Analyzing": "analyze",
        "Proposing": "propose",
        "Replaying": "replay-selection",
        "Proving": "replay-sealed",
    }
    process = operator()
    process.start()
    start_held(loop, *phases.values(), **APPROVAL)
    for phase, stage in phases.items():
        in_phase(loop, phase)
        process.kill()
        loop.release(stage)  # the Job ends while nobody is there
        eventually(lambda stage=stage: _finished(loop, stage), f"the end of the Job {stage}")
        loop.forget_lease()
        process.start()
    in_phase(loop, "WaitingForApproval")
    process.kill()
    loop.server.flush()  # nothing that waits for a person lives in Redis
    loop.forget_lease()
    process.start()
    assert differences(undisturbed, proved_and_approved(loop)) == []


def test_an_artifact_that_was_forged_under_the_right_key_is_refused(loop: Loop, operator: MakeOperator) -> None:
    process = operator()
    process.start()
    start_held(loop, "analyze")
    in_phase(loop, "Analyzing")
    process.kill()
    loop.release("analyze")
    eventually(lambda: _finished(loop, "analyze"), "the end of the Job")
    (key,) = loop.redis.keys(f"ninefold:{loop.one('nfa', 'support')['metadata']['uid']}:artifact:*:analyze:1")
    loop.redis.set(key, loop.redis.get(key).replace(b"500", b"501"))
    loop.forget_lease()
    process.start()
    message = loop.until("nfr", RUN, "Succeeded", "False", "Failed")
    assert "ArtifactForged" in message
    assert json.loads(loop.data("support-prompts")["release.json"])["stable"].startswith("v1-")


def test_a_killed_pod_is_replaced_and_the_run_goes_on(
    loop: Loop, operator: MakeOperator, local_node: LocalNode, namespace: str
) -> None:
    operator().start()
    start_held(loop, "replay-selection")
    pods = eventually(
        lambda: [
            pod["metadata"]["name"]
            for pod in loop.all("pod", "ninefold.dev/job-stage=replay-selection")
            if pod["status"].get("phase") == "Running"
        ],
        "a pod of the race",
    )
    assert local_node.kill_pod(namespace, pods[0]) == 1
    loop.release("replay-selection")
    loop.until("nfr", RUN, "Succeeded", "True", "Promoted")


def test_cancelling_a_run_ends_its_jobs(loop: Loop, operator: MakeOperator) -> None:
    operator().start()
    start_held(loop, "analyze")
    eventually(lambda: loop.all("job", f"ninefold.dev/run={RUN}"), "a Job")
    loop.patch("nfr", RUN, {"cancel": True})
    loop.until("nfr", RUN, "Succeeded", "False", "Cancelled")
    eventually(lambda: not loop.all("job", f"ninefold.dev/run={RUN}"), "the end of the Job")


@pytest.mark.parametrize(("policy", "left"), [("Retain", True), ("Delete", False)])
def test_deleting_an_agent_does_what_its_deletion_policy_says(
    loop: Loop, operator: MakeOperator, policy: str, left: bool
) -> None:
    operator().start()
    loop.set_up()
    loop.patch("nfa", "support", {"deletionPolicy": policy})
    loop.until("nfr", "nightly-g1", "Succeeded", "True", "Promoted")
    prompts = loop.data("support-prompts")
    loop.kubectl("delete", "nfp", "nightly")
    assert loop.data("support-prompts") == prompts, "a policy's end leaves the stable prompts alone"
    loop.kubectl("delete", "nfa", "support")
    if left:
        assert loop.data("support-prompts") == prompts
    else:
        eventually(lambda: not loop.all("configmap", "ninefold.dev/agent=support"), "the ConfigMaps of the Agent")


def in_phase(loop: Loop, phase: str) -> None:
    """Wait until the only run is in that phase."""
    last: list[Manifest] = []

    def seen() -> bool:
        last[:] = [run.get("status", {}) for run in loop.all("nfr")]
        return [status.get("phase") for status in last] == [phase]

    try:
        eventually(seen, f"the phase {phase}")
    except AssertionError as error:
        raise AssertionError(f"{error}; the run says {json.dumps(last)}") from None


def _finished(loop: Loop, stage: str) -> bool:
    jobs = loop.all("job", f"ninefold.dev/job-stage={stage}")
    conditions = [c for job in jobs for c in job.get("status", {}).get("conditions", [])]
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)


def test_traces_are_read_in_shards_and_one_that_fails_is_tried_again_alone(loop: Loop, operator: MakeOperator) -> None:
    operator().start()
    loop.set_up(analysis={"parallelism": 3})
    loop.until("nfr", "nightly-g1", "Succeeded", "True", "Promoted")
    (job,) = loop.all("job", "ninefold.dev/job-stage=read")
    assert (job["spec"]["completionMode"], job["status"]["succeeded"]) == ("Indexed", 3)
    pods = loop.all("pod", f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}")
    marks = [pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for pod in pods]
    assert sorted(marks) == ["0", "1", "1", "2"]
    stages = {entry["name"]: entry for entry in loop.one("nfr", "nightly-g1")["status"]["stages"]}
    assert stages["read"]["result"]["artifact"].rpartition(":")[2] in ("0", "1", "2")
