"""Only bytes that our own Job's own pod reported are used. What is lost is computed once more, what is forged never."""

import pytest
from builders import a_report, an_edit
from unit.controllers.behaviours import Jobs, candidate
from unit.controllers.simulated_jobs import a_pod, end_job, environment
from unit.controllers.worlds import BETTER, a_world, end_of, needing_approval, served, versions

from ninefold.api.artifacts import JobError, canonical, sha256
from ninefold.api.candidates import ProposalSet
from ninefold.api.run import ArtifactRef

RUN = "OptimizationRun"


def attempt(env):
    return int(env["NINEFOLD_ARTIFACT"].rsplit(":", 1)[1])


def failed_with(world, reason):
    assert end_of(world.cluster) == ("False", "Failed")
    assert world.cluster.condition(RUN, "nightly-g1", "Ready")[1] == reason
    assert len(versions(world.cluster)) == 1


async def test_a_forged_artifact_under_the_right_key_is_refused():
    def forged(cluster, job, env):
        end_job(cluster, job, Jobs().replay_sealed(cluster, env))
        cluster.redis[env["NINEFOLD_ARTIFACT"]] = b'{"bucket":"sealed","arms":[],"rows":[]}'

    world = a_world(Jobs(replay_sealed=forged))
    await world.settle()
    failed_with(world, "ArtifactForged")


async def test_a_reference_to_another_key_is_refused_and_never_read():
    def pointing_elsewhere(cluster, job, env):
        data = a_report().to_bytes()
        cluster.redis["somewhere:else"] = data
        return canonical(ArtifactRef(artifact="somewhere:else", sha256=sha256(data), bytes=len(data)).wire()).decode()

    world = a_world(Jobs(analyze=pointing_elsewhere))
    await world.settle()
    failed_with(world, "ArtifactForged")
    assert "somewhere:else" not in world.cluster.redis_reads


async def test_a_pod_that_says_no_reference_is_refused():
    world = a_world(Jobs(analyze="all is well"))
    await world.settle()
    failed_with(world, "ArtifactForged")


async def test_a_pod_that_only_bears_the_labels_of_the_job_is_not_believed():
    world = a_world(Jobs(analyze=None))
    await world.settle()
    job = next(j for j in world.cluster.all("Job") if "analyze" in j["metadata"]["name"])
    data = a_report().to_bytes()
    key = environment(job)["NINEFOLD_ARTIFACT"]
    world.cluster.redis[key] = data
    message = canonical(ArtifactRef(artifact=key, sha256=sha256(data), bytes=len(data)).wire()).decode()
    pod = a_pod(job, message, 0, world.cluster.now)
    pod["metadata"]["ownerReferences"][0]["uid"] = "somebody-else"
    world.cluster.put(pod)
    done = {"type": "Complete", "status": "True", "lastTransitionTime": "2025-03-01T12:00:00Z"}
    world.cluster.put({**job, "status": {"conditions": [done]}})
    world.behave = Jobs(analyze=JobError(reason="Stopped", message="seen", permanent=True))
    await world.later(minutes=1)
    assert world.cluster.one(RUN, "nightly-g1")["status"]["stages"][0]["attempt"] == 2, "lost, not believed"


async def test_a_job_of_somebody_else_under_our_name_is_left_alone_and_told():
    world = a_world(Jobs(probe=None))
    await world.settle()
    world.behave = Jobs()
    planted = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "shop", "labels": {}}, "spec": {}}
    name = await name_of_the_first_job()
    planted["metadata"]["name"] = name
    planted["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    world.cluster.put(planted)
    await world.settle()
    status, reason, message = world.cluster.condition(RUN, "nightly-g1", "Stalled")
    assert (status, reason) == ("True", "JobNotOwned") and name in message
    world.cluster.delete("Job", name)
    await world.wake()
    assert end_of(world.cluster) == ("True", "Promoted")


async def name_of_the_first_job() -> str:
    world = a_world()
    await world.settle()
    return next(j["metadata"]["name"] for j in world.cluster.all("Job") if "analyze" in j["metadata"]["name"])


@pytest.mark.parametrize("stage", ["analyze", "propose", "replay-selection", "replay-sealed"])
async def test_a_lost_artifact_is_computed_once_more(stage):
    def lost_at_first(cluster, job, env):
        result = getattr(Jobs(), stage.replace("-", "_"))(cluster, env)
        if attempt(env) == 1:
            end_job(cluster, job, result)
            cluster.redis.pop(env["NINEFOLD_ARTIFACT"])
            return None
        return result

    jobs = Jobs(**{stage.replace("-", "_"): lost_at_first})
    world = a_world(jobs)
    await world.settle()
    assert jobs.calls[stage] == 2
    assert end_of(world.cluster) == ("True", "Promoted")


async def test_an_artifact_that_is_lost_again_fails_the_run():
    def always_lost(cluster, job, env):
        end_job(cluster, job, Jobs().propose(cluster, env))
        cluster.redis.pop(env["NINEFOLD_ARTIFACT"])

    world = a_world(Jobs(propose=always_lost))
    await world.settle()
    failed_with(world, "ArtifactLost")


async def test_when_redis_is_flushed_in_mid_run_the_lost_stages_are_computed_once_more():
    def flushed(cluster, job, env):
        if attempt(env) == 1:
            cluster.redis.clear()
            return JobError(reason="ArtifactLost", message="the proposals are gone", permanent=False)
        return Jobs().replay_sealed(cluster, env)

    jobs = Jobs(replay_sealed=flushed)
    world = a_world(jobs)
    await world.settle()
    assert end_of(world.cluster) == ("True", "Promoted")
    assert jobs.calls == {"probe": 1, "analyze": 2, "propose": 2, "replay-selection": 1, "replay-sealed": 2}


async def test_a_frozen_candidate_that_comes_out_otherwise_is_not_proved():
    def flushed(cluster, job, env):
        if attempt(env) > 1:
            return Jobs().replay_sealed(cluster, env)
        cluster.redis.clear()
        return JobError(reason="ArtifactLost", message="the proposals are gone", permanent=False)

    def another_one(cluster, job, env):
        return ProposalSet(candidates=[candidate() if attempt(env) == 1 else candidate(edit=an_edit("Be kind."))])

    jobs = Jobs(replay_sealed=flushed, propose=another_one)
    world = a_world(jobs)
    await world.settle()
    failed_with(world, "ArtifactLost")
    assert "came out otherwise" in world.cluster.condition(RUN, "nightly-g1", "Ready")[2]
    assert jobs.calls["replay-sealed"] == 1


async def test_an_artifact_of_another_schema_version_is_not_read():
    world = a_world(Jobs(analyze=a_report().model_copy(update={"schema_version": 7})))
    await world.settle()
    failed_with(world, "ArtifactVersion")
    assert "schema version 7" in world.cluster.condition(RUN, "nightly-g1", "Ready")[2]


async def test_nothing_that_waits_for_an_approval_lives_in_redis():
    world = a_world(**needing_approval())
    await world.settle()
    world.cluster.redis.clear()
    world.cluster.redis_reads.clear()
    world.cluster.edit("OptimizationPolicy", "nightly", **needing_approval(BETTER))
    await world.wake()
    assert served(world.cluster)[0] == f"v2-{BETTER}"
    assert world.cluster.redis_reads == []
