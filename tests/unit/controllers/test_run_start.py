"""Before and while a run runs: the inputs are resolved once, and what it waits for is told."""

import dataclasses
import json

from builders import a_backend_object, a_policy_object, a_run_object, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated_jobs import a_pod
from unit.controllers.simulated_operator import SETTINGS, World
from unit.controllers.worlds import a_world, end_of, needing_approval, served

from ninefold.api.artifacts import sha256
from ninefold.controllers.kinds import controllers

RUN = "OptimizationRun"
INPUTS = "nightly-g1-inputs"


async def under_way(**policy):
    """A run whose analysis does not end."""
    world = a_world(Jobs(analyze=None), **policy)
    await world.settle()
    return world


def inputs_of(world, name=INPUTS):
    return json.loads(world.cluster.one("ConfigMap", name)["data"]["inputs.json"])


async def test_the_inputs_are_resolved_once_into_an_immutable_configmap_whose_hash_is_in_the_status():
    world = await under_way()
    config_map = world.cluster.one("ConfigMap", INPUTS)
    run = world.cluster.one(RUN, "nightly-g1")
    assert config_map["immutable"] and config_map["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
    assert run["status"]["inputsHash"] == sha256(config_map["data"]["inputs.json"].encode())
    found = inputs_of(world)
    assert found["windowEnd"] == run["status"]["startTime"] and found["windowStart"] < "2025-01-31"
    assert found["baseline"]["components"] == {"system": "You book rooms. Use the tool find_room."}
    assert run["status"]["baselineVersion"] == served(world.cluster)[0]


async def test_the_agents_texts_stand_in_the_inputs_once():
    found = inputs_of(await under_way())
    assert found["agent"]["components"] == [{"name": "system"}]


async def test_what_changes_around_a_run_does_not_reach_its_inputs():
    world = await under_way()
    before = inputs_of(world)
    world.cluster.edit("OptimizationPolicy", "nightly", traces={"window": "1d"})
    world.cluster.edit("Agent", "support", success={"score": "other"})
    await world.settle()
    assert inputs_of(world) == before


async def test_the_image_of_its_jobs_is_pinned_when_it_starts():
    world = await under_way(jobs={"image": "mine/jobs:7"})
    assert world.cluster.one(RUN, "nightly-g1")["status"]["jobImage"] == "mine/jobs:7"
    job = next(job for job in world.cluster.all("Job") if "analyze" in job["metadata"]["name"])
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "mine/jobs:7"


async def test_inputs_that_were_exchanged_are_refused():
    world = await under_way()
    config_map = world.cluster.one("ConfigMap", INPUTS)
    found = inputs_of(world)
    found["agent"]["replay"]["endpoint"]["url"] = "http://elsewhere/replay"
    world.cluster.delete("ConfigMap", INPUTS)
    world.cluster.put({**config_map, "data": {"inputs.json": json.dumps(found)}})
    await world.settle()
    assert end_of(world.cluster) == ("False", "Failed")
    assert world.cluster.condition(RUN, "nightly-g1", "Ready")[1] == "InputsTampered"
    assert not [job for job in world.cluster.all("Job") if "analyze" in job["metadata"]["name"]]


async def test_inputs_that_were_deleted_end_the_run():
    world = await under_way()
    world.cluster.delete("ConfigMap", INPUTS)
    await world.settle()
    assert world.cluster.condition(RUN, "nightly-g1", "Ready")[1] == "InputsGone"


async def test_a_configmap_of_somebody_else_under_the_name_of_the_inputs_is_left_alone():
    world = a_world()
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": INPUTS, "namespace": "shop"}, "data": {}}
    world.cluster.put(theirs)
    await world.settle()
    assert world.cluster.condition(RUN, "nightly-g1", "Stalled")[1] == "InputsNotOwned"
    assert world.cluster.one("ConfigMap", INPUTS)["data"] == {}
    world.cluster.delete("ConfigMap", INPUTS)
    await world.wake()
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_inputs_that_a_deleted_namesake_left_are_replaced():
    world = a_world(trigger={"onApply": False})
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    left = world.cluster.one("ConfigMap", "by-hand-inputs")
    left["metadata"].pop("ownerReferences")
    world.cluster.delete(RUN, "by-hand")
    world.cluster.put(left)
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    uid = world.cluster.one(RUN, "by-hand")["metadata"]["uid"]
    assert inputs_of(world, "by-hand-inputs")["runUid"] == uid
    assert end_of(world.cluster, "by-hand")[0] in ("True", "False")


async def test_an_agent_that_was_made_anew_in_mid_run_is_another_one():
    world = await under_way()
    world.cluster.delete("Agent", "support")
    world.cluster.put(an_agent_object())
    await world.settle()
    assert end_of(world.cluster) == ("False", "Failed")
    assert "another one made under its name" in world.cluster.condition(RUN, "nightly-g1", "Ready")[2]


async def test_a_backend_that_is_deleted_in_mid_run_is_no_longer_needed():
    world = await under_way()
    world.cluster.delete("TraceBackend", "traces")
    world.behave = Jobs()
    await world.wake()
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_what_the_api_server_refuses_to_take_is_told_until_it_gets_through():
    world = await under_way()
    key = next(key for key in world.all_keys() if key.kind == RUN)
    sentence = "the API server refused to create Job shop/x (403 Forbidden): exceeded quota: small"
    plan = await world.controllers[RUN].refused(world.cluster, key, sentence, world.cluster.now)
    for action in plan.actions:
        await world.cluster.perform(action)
    assert world.cluster.condition(RUN, "nightly-g1", "Stalled") == ("True", "WriteRefused", sentence)
    world.behave = Jobs()
    await world.wake()
    assert world.cluster.condition(RUN, "nightly-g1", "Stalled") is None
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_what_waits_to_start_is_pending():
    world = a_world(Jobs(probe=None))
    await world.settle()
    assert world.cluster.one(RUN, "nightly-g1")["status"]["phase"] == "Pending"


async def test_a_run_waits_for_the_first_probe_and_is_stalled_by_a_stalled_backend():
    world = a_world(Jobs(probe=None))
    await world.settle()
    assert world.cluster.condition(RUN, "nightly-g1", "Reconciling")[1] == "TraceBackendNotReady"
    world.cluster.put(a_backend_object(volume={"hostPath": {"path": "/traces"}}))
    await world.settle()
    status, reason, message = world.cluster.condition(RUN, "nightly-g1", "Stalled")
    assert (status, reason) == ("True", "TraceBackendNotReady") and "/traces" in message


async def test_a_run_is_stalled_by_a_stalled_agent_and_heals_with_it():
    ref = {"name": "system", "configMapKeyRef": {"name": "prompts", "key": "system"}}
    world = a_world(agent=an_agent_object(components=[ref]))
    await world.settle()
    assert world.cluster.condition(RUN, "nightly-g1", "Stalled")[1] == "AgentNotReady"
    metadata = {"name": "prompts", "namespace": "shop"}
    world.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"system": "Hello."}})
    await world.later(minutes=1)
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_a_run_that_has_started_is_never_queued_behind_an_older_one():
    world = World(Jobs(analyze=None))
    for manifest in (a_backend_object(), an_agent_object(), a_run_object("older", "late")):
        world.cluster.put(manifest)
    world.cluster.now = world.cluster.now.replace(hour=13)
    world.cluster.put(a_policy_object(trigger={"onApply": False}))
    world.cluster.put(a_run_object("younger"))
    await world.settle()
    assert world.cluster.condition(RUN, "younger", "Ready")[1] == "Analyzing"
    world.cluster.delete("OptimizationPolicy", "nightly")
    world.cluster.put(a_policy_object("late", trigger={"onApply": False}))
    await world.wake()
    assert world.cluster.condition(RUN, "younger", "Ready")[1] == "Analyzing"
    assert world.cluster.condition(RUN, "older", "Ready")[1] == "Queued"


async def test_a_job_whose_pod_cannot_start_stalls_the_run_and_heals():
    world = await under_way()
    job = next(job for job in world.cluster.all("Job") if "analyze" in job["metadata"]["name"])
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "redis" not found'}
    pending = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
    world.cluster.put({**a_pod(job, "", 0, world.cluster.now), "status": pending})
    await world.later(seconds=40)
    status, reason, message = world.cluster.condition(RUN, "nightly-g1", "Stalled")
    assert (status, reason) == ("True", "PodCannotStart") and 'secret "redis" not found' in message
    world.behave = Jobs()
    await world.wake()
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_an_operator_that_may_no_longer_mount_directories_starts_no_analysis():
    world = a_world(**needing_approval())
    world.controllers = controllers(dataclasses.replace(SETTINGS, allow_host_path=True))
    world.cluster.put(a_backend_object(volume={"hostPath": {"path": "/traces"}}))
    world.cluster.moments = moments = []
    await world.settle()
    started = next(m for m in moments if [r for r in m.all(RUN) if r.get("status", {}).get("phase") == "Started"])
    world.cluster, world.controllers = started, controllers(SETTINGS)
    await world.wake()
    assert world.cluster.condition(RUN, "nightly-g1", "Stalled")[1] == "HostPathNotAllowed"
    assert not [job for job in world.cluster.all("Job") if "analyze" in job["metadata"]["name"]]
