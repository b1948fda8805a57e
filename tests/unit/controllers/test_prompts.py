"""An Agent's Langfuse prompts: when a deliver Job is made, what it is told, and what becomes of it."""

import json

import pytest
from builders import a_backend_object, a_langfuse_object, a_policy_object, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated import SimulatedCluster
from unit.controllers.simulated_jobs import a_pod, environment
from unit.controllers.simulated_operator import World, snapshot_of
from unit.controllers.worlds import BETTER, end_of, served

from ninefold.api.artifacts import JobError
from ninefold.api.delivery import DeliverInputs, DeliveryReport
from ninefold.api.prompts import DeliveredPrompt

AGENT = "Agent"
PROMPT = {"backendRef": {"name": "langfuse"}, "prefix": "support"}
WRONG_KEYS = JobError(reason="WrongKeys", message="http://langfuse:3000 refuses the keys (HTTP 401)", permanent=True)
DOWN = JobError(reason="BackendUnavailable", message="http://langfuse:3000 does not answer", permanent=False)


class Server:
    """What deliver Jobs bring to Langfuse: text by label, and all that they were told."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.told: list[DeliverInputs] = []
        self.answer: object = None

    def __call__(self, cluster: SimulatedCluster, job, env):
        self.told.append(inputs_of(cluster, job))
        if self.answer is not None:
            return self.answer
        for group in self.told[-1].labels:
            self.labels[group.label] = group.texts[0].text
        return DeliveryReport(
            prompts=[DeliveredPrompt(name="support/system", version=len(self.told))], written=1, moved=0
        )


def inputs_of(cluster: SimulatedCluster, job) -> DeliverInputs:
    volumes = job["spec"]["template"]["spec"]["volumes"]
    name = next(volume["configMap"]["name"] for volume in volumes if "configMap" in volume)
    return DeliverInputs.model_validate_json(cluster.one("ConfigMap", name)["data"]["inputs.json"])


def a_world(server: Server | None = None, prompt=None, policy: bool = False) -> World:
    world = World(Jobs(deliver=server or Server()))
    world.cluster.put(a_backend_object())
    world.cluster.put(a_langfuse_object())
    delivery = {"mode": "Mount", "langfusePrompt": {**PROMPT, **(prompt or {})}}
    world.cluster.put(an_agent_object(delivery=delivery))
    if policy:
        world.cluster.put(a_policy_object())
    return world


async def settled(server: Server | None = None, **how) -> World:
    world = a_world(server, **how)
    await world.settle()
    return world


def told(world: World, type_: str = "Delivered"):
    return world.cluster.condition(AGENT, "support", type_)


def delivered(world: World):
    return world.cluster.one(AGENT, "support")["status"]["delivered"]


def deliver_jobs(world: World):
    return [job for job in world.cluster.all("Job") if job["metadata"]["labels"]["ninefold.dev/job-stage"] == "deliver"]


# ------------------------------------------------------------------ what is delivered


async def test_the_baseline_is_delivered_at_once_and_the_condition_says_where_it_stands():
    server = Server()
    world = await settled(server)
    version, text = served(world.cluster)
    assert server.labels == {"production": text}
    assert told(world) == ("True", "Delivered", f"{version} has the label production: support/system version 1")
    assert delivered(world)["version"] == version and told(world, "Ready")[0] == "True"
    assert await world.actions() == {}, "at rest nothing is written"


async def test_a_promoted_version_is_delivered_before_its_run_is_over():
    server = Server()
    world = await settled(server, policy=True)
    version, text = served(world.cluster)
    assert version.endswith(BETTER) and server.labels == {"production": text}
    assert [group.version for told in server.told for group in told.labels] == [served_first(server), version]
    assert end_of(world.cluster) == ("True", "Promoted")


def served_first(server: Server) -> str:
    return server.told[0].labels[0].version


async def test_a_run_does_not_say_that_agents_read_what_langfuse_does_not_give():
    server = Server()
    world = await settled(server)
    server.answer = DOWN
    world.cluster.put(a_policy_object())
    await world.settle()
    assert end_of(world.cluster) == ("", "")
    status, _, message = world.cluster.condition("OptimizationRun", "nightly-g1", "RolledOut")
    assert status == "False" and "on its way to Langfuse" in message
    server.answer = None
    await world.later(minutes=2)
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_a_quarantine_delivers_the_old_version_again():
    server = Server()
    world = await settled(server, policy=True)
    world.cluster.edit(AGENT, "support", quarantine=[BETTER])
    await world.settle()
    assert delivered(world)["version"] == served(world.cluster)[0] == served_first(server)


async def test_the_job_gets_the_keys_of_the_project_and_nothing_else():
    world = await settled()
    (job,) = deliver_jobs(world)
    pod = job["spec"]["template"]["spec"]
    secrets = {e["name"] for e in pod["containers"][0]["env"] if "valueFrom" in e}
    assert secrets == {"NINEFOLD_LANGFUSE_PUBLIC_KEY", "NINEFOLD_LANGFUSE_SECRET_KEY"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["args"] == ["deliver"]
    uid = world.cluster.one(AGENT, "support")["metadata"]["uid"]
    assert environment(job)["NINEFOLD_ARTIFACT"].startswith(f"ninefold:{uid}:artifact:deliver:")
    assert "sk-lf" not in json.dumps(job)


async def test_named_prompts_carry_their_components_and_the_canary_label_waits_on_the_stable_version():
    server = Server()
    names = [{"component": "system", "name": "rooms", "type": "Chat"}]
    await settled(server, prompt={"prefix": None, "prompts": names, "label": "live", "canaryLabel": "canary"})
    (inputs,) = server.told
    assert [group.label for group in inputs.labels] == ["live", "canary"]
    assert [(text.name, text.type) for text in inputs.labels[0].texts] == [("rooms", "Chat")]


# ------------------------------------------------------------------ again, and not again


async def test_every_six_hours_it_is_looked_whether_they_still_stand_there_and_one_job_is_kept():
    server = Server()
    world = await settled(server)
    await world.later(hours=5)
    assert len(server.told) == 1
    await world.later(hours=1, minutes=1)
    assert len(server.told) == 2 and server.told[0] == server.told[1]
    assert len(deliver_jobs(world)) == 1 and told(world)[0] == "True"
    assert len([m for m in world.cluster.all("ConfigMap") if "-deliver-" in m["metadata"]["name"]]) == 1
    assert await world.actions() == {}


async def test_a_repeated_look_takes_no_readiness_away():
    world = await settled()
    world.behave = Jobs(deliver=None)
    await world.later(hours=7)
    assert told(world)[0] == told(world, "Ready")[0] == "True" and told(world, "Reconciling") is None


async def test_a_changed_key_reference_is_delivered_with_at_once():
    server = Server()
    world = await settled(server)
    manifest = a_langfuse_object(publicKeySecretRef={"name": "other", "key": "public-key"})
    world.cluster.put(manifest)
    await world.settle()
    assert len(server.told) == 2


async def test_an_earlier_delivery_is_over_before_the_next_begins():
    world = await settled(policy=False)
    world.behave = jobs = Jobs(deliver=None)
    world.cluster.edit(AGENT, "support", components=[{"name": "system", "text": "First change."}])
    await world.settle()
    (slow,) = [job for job in deliver_jobs(world) if not job.get("status")]
    pod = a_pod(slow, "", 0, world.cluster.now)
    pod["metadata"]["labels"] |= slow["metadata"]["labels"]
    world.cluster.put({**pod, "status": {"phase": "Running"}, "metadata": {**pod["metadata"], "ownerReferences": []}})
    world.cluster.edit(AGENT, "support", components=[{"name": "system", "text": "Second change."}])
    await world.settle()
    assert deliver_jobs(world) == [], "its Job is deleted, but its pod may still move the label"
    world.cluster.delete("Pod", pod["metadata"]["name"])
    world.behave = Jobs(deliver=(server := Server()))
    await world.later(seconds=6)
    assert server.labels == {"production": "Second change."} and jobs.calls == {"deliver": jobs.calls["deliver"]}


async def test_dropping_the_prompts_leaves_langfuse_alone_and_takes_condition_status_and_jobs():
    server = Server()
    world = await settled(server)
    world.cluster.edit(AGENT, "support", delivery={"mode": "Mount", "configMap": "support-prompts"})
    await world.settle()
    assert told(world) is None and "delivered" not in world.cluster.one(AGENT, "support")["status"]
    assert deliver_jobs(world) == [] and len(server.told) == 1
    assert await world.actions() == {}


# ------------------------------------------------------------------ what goes wrong


async def test_what_a_user_must_mend_stalls_the_agent_with_the_jobs_sentence_and_heals():
    server = Server()
    server.answer = WRONG_KEYS
    world = await settled(server)
    assert told(world) == ("False", "WrongKeys", WRONG_KEYS.message)
    assert told(world, "Stalled") == ("True", "WrongKeys", WRONG_KEYS.message)
    assert served(world.cluster)[0] == world.cluster.one(AGENT, "support")["status"]["stableVersion"]
    assert await world.actions() == {}, "in between, nothing is written"
    server.answer = None
    await world.later(minutes=2)
    assert told(world)[0] == told(world, "Ready")[0] == "True" and told(world, "Stalled") is None
    assert "failed" not in delivered(world) or delivered(world)["failed"] == 0


async def test_a_passing_trouble_is_told_only_while_nothing_is_delivered():
    server = Server()
    server.answer = DOWN
    world = await settled(server)
    assert told(world)[:2] == ("False", "BackendUnavailable") and told(world, "Stalled") is None
    server.answer = None
    await world.later(minutes=2)
    server.answer = DOWN
    await world.later(hours=7)
    assert told(world)[0] == told(world, "Ready")[0] == "True" and delivered(world)["failed"] == 1


async def test_pauses_grow_to_half_an_hour():
    server = Server()
    server.answer = WRONG_KEYS
    world = await settled(server)
    for _ in range(24):
        await world.later(minutes=15)
    assert 12 <= len(server.told) <= 20, "six hours at half an hour, and a few at first"


@pytest.mark.parametrize(
    "backend, reason",
    [(None, "TraceBackendNotFound"), (a_backend_object("langfuse"), "BackendNotLangfuse")],
    ids=["none", "another kind"],
)
async def test_a_backend_that_is_no_langfuse_server_is_told_and_heals(backend, reason):
    world = a_world()
    world.cluster.delete("TraceBackend", "langfuse")
    if backend is not None:
        world.cluster.put(backend)
    await world.settle()
    assert told(world)[1] == told(world, "Stalled")[1] == reason
    assert deliver_jobs(world) == []
    world.cluster.put(a_langfuse_object())
    await world.settle()
    assert told(world)[0] == "True" and told(world, "Stalled") is None


async def test_an_edit_of_git_that_makes_a_component_without_a_prompt_is_told():
    world = await settled(prompt={"prefix": None, "prompts": [{"component": "system", "name": "rooms"}]})
    world.cluster.edit(
        AGENT, "support", edits=[{"component": "context.rooms", "kind": "InjectContext", "text": "A, B."}]
    )
    await world.settle()
    assert told(world)[1] == told(world, "Stalled")[1] == "UnknownComponent"
    assert "context.rooms has no Langfuse prompt" in told(world)[2]


async def test_a_missing_secret_is_told_with_the_kubelets_sentence():
    world = await settled(None)
    world.behave = Jobs(deliver=None)
    world.cluster.edit(AGENT, "support", components=[{"name": "system", "text": "Changed."}])
    await world.settle()
    assert told(world)[:2] == ("False", "Delivering") and told(world, "Ready")[1] == "Delivering"
    (job,) = deliver_jobs(world)
    why = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "langfuse" not found'}}
    pod = a_pod(job, "", 0, world.cluster.now)
    world.cluster.put({**pod, "status": {"phase": "Pending", "containerStatuses": [{"state": why}]}})
    await world.later(seconds=40)
    assert told(world) == ("False", "PodCannotStart", 'CreateContainerConfigError: secret "langfuse" not found')
    assert told(world, "Stalled")[1] == "PodCannotStart"
    world.cluster.put({**pod, "status": {"phase": "Running"}})
    world.behave = Jobs()
    await world.wake()
    assert told(world)[0] == "True" and told(world, "Stalled") is None


async def test_somebody_elses_job_under_our_name_is_left_alone():
    world = a_world()
    world.behave = Jobs(deliver=None)
    await world.settle()
    (job,) = deliver_jobs(world)
    world.cluster.put({**job, "metadata": {**job["metadata"], "ownerReferences": []}})
    await world.wake()
    assert told(world)[1] == told(world, "Stalled")[1] == "JobNotOwned"


async def test_the_agents_own_trouble_comes_first():
    server = Server()
    server.answer = WRONG_KEYS
    world = await settled(server)
    world.cluster.edit(AGENT, "support", version="v9-0a1b2c3d4e")
    await world.settle()
    assert told(world, "Stalled")[1] == "PinUnknown" and told(world)[1] == "WrongKeys"


# ------------------------------------------------------------------ killed


async def test_the_operator_may_die_behind_any_write():
    living = await settled(Server(), policy=True)
    mortal = a_world(Server(), policy=True)
    mortal.cluster.mortal = True
    await mortal.settle(rounds=2000)
    assert mortal.deaths > 20
    assert snapshot_of(mortal.cluster) == snapshot_of(living.cluster)
