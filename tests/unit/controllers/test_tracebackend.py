"""TraceBackend: what a probe finds, and when the next one is due."""

import dataclasses
import itertools
import json

import pytest
from builders import a_backend_object
from unit.controllers.behaviours import FOUND, Jobs
from unit.controllers.simulated_jobs import a_pod, environment
from unit.controllers.simulated_operator import SETTINGS, World

from ninefold.api.artifacts import JobError, ProbeReport
from ninefold.api.tracebackend import TraceBackendSpec

BACKEND = "TraceBackend"


async def probed(behave=None, volume=None, **settings):
    world = World(behave or Jobs(), dataclasses.replace(SETTINGS, **settings))
    world.cluster.put(a_backend_object(volume=volume))
    await world.settle()
    return world


def told(world, type_="Ready"):
    return world.cluster.condition(BACKEND, "traces", type_)


def status(world):
    return world.cluster.one(BACKEND, "traces")["status"]


async def test_a_good_probe_says_in_a_sentence_what_was_found():
    world = await probed()
    assert told(world) == ("True", "Probed", "2 files, 520 traces, scores: solved")
    assert status(world)["capabilities"]["agents"] == ["support"]


async def test_the_probe_job_gets_the_spec_in_a_configmap_of_its_own():
    world = await probed()
    (job,) = world.cluster.all("Job")
    name = next(v["configMap"]["name"] for v in job["spec"]["template"]["spec"]["volumes"] if "configMap" in v)
    inputs = world.cluster.one("ConfigMap", name)
    backend = TraceBackendSpec.model_validate(world.cluster.one(BACKEND, "traces")["spec"])
    assert json.loads(inputs["data"]["inputs.json"])["backend"] == backend.wire()
    uid = world.cluster.one(BACKEND, "traces")["metadata"]["uid"]
    assert inputs["immutable"] and inputs["metadata"]["ownerReferences"][0]["uid"] == uid
    assert environment(job)["NINEFOLD_ARTIFACT"] == f"ninefold:{uid}:artifact:probe:g1:1"


async def test_it_is_probed_again_after_six_hours_and_only_the_last_job_is_kept():
    jobs = Jobs()
    world = await probed(jobs)
    await world.later(hours=5)
    assert jobs.calls["probe"] == 1
    await world.later(hours=1, minutes=1)
    assert jobs.calls["probe"] == 2 and told(world)[0] == "True"
    assert len(world.cluster.all("Job")) == 1 and len(world.cluster.all("ConfigMap")) == 1
    assert await world.actions() == {}


async def test_a_changed_spec_is_probed_at_once_and_ends_the_probe_before_it():
    world = await probed(Jobs(probe=None))
    (first,) = world.cluster.all("Job")
    world.behave = jobs = Jobs()
    world.cluster.edit(BACKEND, "traces", otlp={"volume": {"persistentVolumeClaim": {"claimName": "others"}}})
    await world.settle()
    (second,) = world.cluster.all("Job")
    assert second["metadata"]["name"] != first["metadata"]["name"]
    assert jobs.calls["probe"] <= 2 and status(world)["probedGeneration"] == 2
    assert len(world.cluster.all("ConfigMap")) == 1


async def test_a_probe_that_is_repeated_does_not_take_readiness_away_while_it_looks():
    world = await probed()
    world.behave = Jobs(probe=None)
    await world.later(hours=7)
    assert told(world)[0] == "True" and told(world, "Reconciling") is None


async def test_what_a_user_must_mend_stalls_with_the_pods_sentence_and_heals():
    error = JobError(reason="NoFiles", message="no file matches traces/*.jsonl", permanent=True)
    world = await probed(Jobs(probe=error))
    assert told(world, "Stalled") == ("True", "NoFiles", "no file matches traces/*.jsonl")
    world.behave = Jobs()
    await world.later(minutes=2)
    assert told(world)[0] == "True" and told(world, "Stalled") is None and status(world)["failedProbes"] == 0


async def test_pauses_grow_while_probes_fail_up_to_the_usual_interval():
    jobs = Jobs(probe=JobError(reason="StoreUnavailable", message="Redis does not answer", permanent=False))
    world = await probed(jobs)
    assert told(world)[:2] == ("False", "StoreUnavailable") and told(world, "Stalled") is None
    counts = []
    for _ in range(12):
        await world.later(minutes=30)
        counts.append(jobs.calls["probe"])
    assert counts[0] == 2
    gaps = [later - earlier for earlier, later in itertools.pairwise(counts)]
    assert sum(gaps[:5]) > sum(gaps[-5:]) > 0


async def test_a_backend_without_traces_is_looked_at_again_soon():
    world = await probed(Jobs(probe=ProbeReport(capabilities=FOUND.model_copy(update={"traces": 0}))))
    assert told(world, "Stalled")[1] == "NoTraces"
    world.behave = Jobs()
    await world.later(minutes=2)
    assert told(world)[0] == "True"


HOST = {"hostPath": {"path": "/var/log/traces"}}


async def test_a_directory_of_the_node_is_refused_unless_the_operator_allows_it():
    jobs = Jobs()
    world = await probed(jobs, volume=HOST)
    status_, reason, message = told(world, "Stalled")
    assert (status_, reason) == ("True", "HostPathNotAllowed")
    assert "/var/log/traces" in message and "persistentVolumeClaim" in message and "allowHostPath: true" in message
    assert jobs.calls == {} and world.cluster.all("Job") == []


async def test_a_directory_of_the_node_is_probed_where_the_operator_allows_it():
    world = await probed(volume=HOST, allow_host_path=True)
    assert told(world)[0] == "True"


@pytest.mark.parametrize(
    "pod_status, sentence",
    [
        (
            {
                "containerStatuses": [
                    {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "k" not found'}}}
                ]
            },
            'CreateContainerConfigError: secret "k" not found',
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": 'persistentvolumeclaim "traces" not found'}
                ]
            },
            'persistentvolumeclaim "traces" not found',
        ),
        (
            {"containerStatuses": [{"image": "ninefold/jobs:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            "the image ninefold/jobs:1 cannot be pulled",
        ),
    ],
    ids=["Secret", "claim", "image"],
)
async def test_a_pod_that_cannot_start_is_told_with_the_reason_and_heals(pod_status, sentence):
    world = await probed(Jobs(probe=None))
    (job,) = world.cluster.all("Job")
    pod = {**a_pod(job, "", 0, world.cluster.now), "status": {"phase": "Pending", **pod_status}}
    world.cluster.put(pod)
    await world.wake()
    assert told(world, "Stalled") is None, "it may pass by itself"
    await world.later(seconds=40)
    assert told(world, "Stalled") == ("True", "PodCannotStart", sentence)
    world.cluster.put({**pod, "status": {"phase": "Running"}})
    await world.wake()
    assert told(world, "Stalled") is None
    world.behave = Jobs()
    await world.wake()
    assert told(world)[0] == "True"


async def test_deleting_the_backend_takes_its_jobs_and_inputs():
    world = await probed()
    world.cluster.delete(BACKEND, "traces")
    await world.settle()
    assert [m for m in world.cluster.objects.values() if m["kind"] != "Pod"] == []
