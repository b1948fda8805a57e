"""What a Job says about itself: believed, refused, or waited for."""

from datetime import UTC, datetime, timedelta

import pytest
from unit.controllers.simulated_jobs import a_pod

from ninefold.api.artifacts import JobError, canonical
from ninefold.api.run import ArtifactRef
from ninefold.controllers.jobstate import Absent, Broken, Done, Foreign, Running, Unseen, patient, state_of

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
KEY = "ninefold:a:artifact:r:analyze:1"
REF = ArtifactRef(artifact=KEY, sha256="0" * 64, bytes=3)


def a_job(condition=None, reason="", uid="run-1"):
    done = [{"type": condition, "status": "True", "reason": reason, "lastTransitionTime": "2025-03-01T12:00:00Z"}]
    return {
        "kind": "Job",
        "metadata": {
            "name": "j",
            "namespace": "shop",
            "uid": "job-1",
            "creationTimestamp": "2025-03-01T11:00:00Z",
            "ownerReferences": [{"uid": uid, "controller": True}],
        },
        "status": {"conditions": done if condition else []},
    }


def a_message(value):
    return canonical(value.wire()).decode()


def state(job, *pods):
    return state_of(job, pods, "run-1", KEY)


def pod(message="", exit_code=0, **terminated):
    made = a_pod(a_job(), message, exit_code, NOW)
    made["status"]["containerStatuses"][0]["state"]["terminated"] |= terminated
    return made


def test_no_job_and_somebody_elses_job():
    assert state(None) == Absent()
    assert state(a_job(uid="run-2")) == Foreign()


def test_an_owner_that_does_not_control_it_does_not_count():
    job = a_job()
    job["metadata"]["ownerReferences"][0]["controller"] = False
    assert state(job) == Foreign()


def test_a_job_without_an_end_is_running():
    assert state(a_job(), pod()) == Running()
    assert state(a_job(), pod("half a", 1)) == Running(), "a pod may fail while the Job goes on"


def test_a_job_that_gets_no_pod_says_where_to_look():
    found = state(a_job())
    assert patient(found, NOW - timedelta(minutes=59, seconds=50)) == Running()
    assert "kubectl describe job j" in patient(found, NOW).waiting


def test_a_job_that_a_queueing_system_holds_back_is_not_in_trouble():
    assert state({**a_job(), "spec": {"suspend": True}}) == Running()


def test_a_complete_job_hands_over_the_reference_of_its_pod():
    assert state(a_job("Complete"), pod(a_message(REF))) == Done(REF, NOW)


@pytest.mark.parametrize("message", ["done", '{"artifact":"x"}', "[]"])
def test_what_is_no_reference_is_forged(message):
    found = state(a_job("Complete"), pod(message))
    assert isinstance(found, Broken) and found.error.reason == "ArtifactForged"


def test_a_reference_to_another_key_is_forged():
    found = state(a_job("Complete"), pod(a_message(REF.model_copy(update={"artifact": "another"}))))
    assert isinstance(found, Broken) and "'another'" in found.error.message and KEY in found.error.message


def test_a_complete_job_whose_pod_is_gone_is_waited_for_and_then_lost():
    found = state(a_job("Complete"))
    assert found == Unseen(NOW)
    assert patient(found, NOW + timedelta(seconds=5)) == Running()
    assert patient(found, NOW + timedelta(minutes=1)).error.reason == "ArtifactLost"


def test_a_failed_job_says_what_its_pod_said():
    error = JobError(reason="NoFiles", message="no file matches", permanent=True)
    assert state(a_job("Failed", "PodFailurePolicy"), pod(a_message(error), 2)) == Broken(error, NOW)


def test_the_newest_pod_speaks_for_the_job():
    older = pod(a_message(JobError(reason="First", message="1", permanent=False)), 1)
    newer = pod(a_message(JobError(reason="Second", message="2", permanent=False)), 1)
    newer["metadata"]["creationTimestamp"] = "2025-03-01T12:30:00Z"
    assert state(a_job("Failed"), older, newer).error.reason == "Second"


@pytest.mark.parametrize(
    "terminated, reason, words",
    [
        ({"reason": "OOMKilled"}, "OutOfMemory", "jobs.resources.limits.memory"),
        ({"reason": "Error"}, "JobFailed", "exit code 137"),
    ],
    ids=["out of memory", "killed"],
)
def test_a_pod_that_says_nothing_is_told_by_its_end(terminated, reason, words):
    found = state(a_job("Failed", "BackoffLimitExceeded"), pod("", 137, **terminated))
    assert found.error.reason == reason and words in found.error.message and not found.error.permanent


def test_a_failed_job_without_any_pod_still_says_something():
    assert state(a_job("Failed")).error.reason == "JobFailed"


def test_a_deadline_is_told_as_such():
    assert state(a_job("Failed", "DeadlineExceeded")).error.reason == "DeadlineExceeded"


# ---------------------------------------------------------------- Indexed Jobs


def an_indexed_job(condition=None, reason="", **status):
    job = a_job(condition, reason)
    return {
        **job,
        "spec": {"completionMode": "Indexed", "completions": 4},
        "status": {**job["status"], **status},
    }


def a_shard(index, message="", exit_code=0):
    return a_pod(a_job(), message, exit_code, NOW, index)


def test_each_shard_reports_under_its_own_key_and_one_of_them_will_do():
    own = REF.model_copy(update={"artifact": f"{KEY}:2"})
    assert state(an_indexed_job("Complete"), a_shard(2, a_message(own))) == Done(own, NOW)
    for foreign in (REF, own.model_copy(update={"artifact": f"{KEY}:3"})):
        found = state(an_indexed_job("Complete"), a_shard(2, a_message(foreign)))
        assert isinstance(found, Broken) and found.error.reason == "ArtifactForged"


def test_a_shard_that_failed_for_good_says_why_not_one_that_was_tried_again():
    wrong = JobError(reason="Unauthorized", message="the key is refused", permanent=True)
    passing = JobError(reason="OutOfMemory", message="no memory", permanent=False)
    pods = [a_shard(0, a_message(passing), 1), a_shard(3, a_message(wrong), 2), a_shard(1, a_message(REF))]
    assert state(an_indexed_job("Failed", "FailedIndexes", failedIndexes="2-3"), *pods) == Broken(wrong, NOW)


def test_the_shards_that_are_done_are_counted():
    assert state(an_indexed_job(succeeded=3, active=1), a_shard(0)) == Running(done=(3, 4))
