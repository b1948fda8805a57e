"""Manifests of Jobs: no credentials, nothing that the stage does not need, names that follow from their owner."""

import dataclasses
import json

import pytest
from builders import a_policy_object, an_agent_object
from unit.controllers.behaviours import Jobs, analysis
from unit.controllers.simulated_jobs import environment
from unit.controllers.simulated_operator import SETTINGS
from unit.controllers.worlds import a_world

from ninefold.api.base import SecretKeyRef
from ninefold.api.tracebackend import VolumeSource
from ninefold.api.workload import Jobs as JobSettings
from ninefold.controllers.actions import ObjectRef
from ninefold.controllers.jobs import JobRequest, job_manifest, job_name
from ninefold.controllers.settings import OperatorSettings, RedisAddress

OWNER = ObjectRef("ninefold.dev/v1alpha1", "OptimizationRun", "shop", "nightly-g1", "uid-1")


def a_job(settings: OperatorSettings = SETTINGS, **request):
    whole = {
        "owner": OWNER,
        "stage": "analyze",
        "attempt": 1,
        "args": ("analyze",),
        "artifact": "ninefold:a:artifact:r:analyze:1",
        "inputs": "nightly-g1-inputs",
        "image": "ninefold/jobs:1",
        "labels": {"ninefold.dev/run": "nightly-g1"},
        **request,
    }
    return job_manifest(JobRequest(**whole), settings)


def pod_of(job):
    return job["spec"]["template"]["spec"]


def container_of(job):
    return pod_of(job)["containers"][0]


def test_the_pod_holds_no_kubernetes_credentials_and_is_restricted():
    pod, container = pod_of(a_job()), container_of(a_job())
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "tmp", "emptyDir": {}} in pod["volumes"]
    assert container["terminationMessagePolicy"] == "File"


def test_a_permanent_error_fails_the_job_at_once_and_a_disrupted_pod_costs_no_attempt():
    rules = a_job()["spec"]["podFailurePolicy"]["rules"]
    assert rules[0]["action"] == "FailJob" and rules[0]["onExitCodes"]["values"] == [2]
    assert rules[1] == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def test_the_job_goes_with_its_owner_and_with_nothing_else():
    job = a_job()
    owner = job["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("uid-1", True, False)
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_names_follow_from_owner_uid_stage_and_attempt_and_fit_into_a_label():
    long = dataclasses.replace(OWNER, name="n" * 40)
    names = {
        job_name(owner, stage, attempt)
        for owner in (OWNER, long, dataclasses.replace(OWNER, uid="uid-2"))
        for stage in ("analyze", "replay-selection")
        for attempt in (1, 2)
    }
    assert len(names) == 12 and max(map(len, names)) <= 63
    assert job_name(OWNER, "analyze", 1) == job_name(OWNER, "analyze", 1)


def test_the_inputs_are_mounted_and_paths_reach_the_process_by_environment_only():
    job = a_job()
    assert environment(job)["NINEFOLD_INPUTS"] == "/etc/ninefold/inputs/inputs.json"
    assert environment(job)["NINEFOLD_ARTIFACT"] == "ninefold:a:artifact:r:analyze:1"
    assert container_of(job)["command"] == ["python", "-m", "ninefold.jobs"]
    assert container_of(job)["args"] == ["analyze"]
    assert {"name": "inputs", "configMap": {"name": "nightly-g1-inputs"}} in pod_of(job)["volumes"]


@pytest.mark.parametrize(
    "source, volume",
    [
        (
            {"persistentVolumeClaim": {"claimName": "c"}},
            {"persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        ),
        ({"hostPath": {"path": "/traces"}}, {"hostPath": {"path": "/traces", "type": "Directory"}}),
        ({"configMap": {"name": "m"}}, {"configMap": {"name": "m"}}),
    ],
    ids=["claim", "hostPath", "ConfigMap"],
)
def test_traces_are_mounted_read_only(source, volume):
    job = a_job(traces=VolumeSource.model_validate(source))
    mount = next(m for m in container_of(job)["volumeMounts"] if m["name"] == "traces")
    assert mount == {"name": "traces", "mountPath": "/var/ninefold/traces", "readOnly": True}
    assert {"name": "traces", **volume} in pod_of(job)["volumes"]
    assert environment(job)["NINEFOLD_TRACES_ROOT"] == "/var/ninefold/traces"


def secrets_of(job):
    entries = [entry for entry in container_of(job)["env"] if "valueFrom" in entry]
    return {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in entries}


def test_secrets_are_only_named_never_read():
    job = a_job(secrets={"NINEFOLD_REPLAY_API_KEY": SecretKeyRef(name="staging", key="token")})
    assert secrets_of(job) == {"NINEFOLD_REPLAY_API_KEY": {"name": "staging", "key": "token"}}


def test_a_redis_address_with_a_password_comes_from_a_secret():
    redis = RedisAddress(secret_name="redis", secret_key="url")
    job = a_job(dataclasses.replace(SETTINGS, redis=redis))
    assert secrets_of(job) == {"NINEFOLD_REDIS_URL": {"name": "redis", "key": "url"}}
    assert "NINEFOLD_REDIS_URL" not in environment(job)


def test_redis_is_named_by_url_or_by_secret_not_by_both_and_not_by_neither():
    for address in ({}, {"url": "redis://r", "secret_name": "s", "secret_key": "k"}):
        with pytest.raises(ValueError, match="one of the two"):
            RedisAddress(**address)


def test_a_policy_says_where_and_with_what_its_jobs_run():
    jobs = JobSettings.model_validate(
        {
            "serviceAccountName": "loops",
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
            "deadline": "30m",
            "backoffLimit": 1,
        }
    )
    job = a_job(jobs=jobs)
    pod = pod_of(job)
    assert (pod["serviceAccountName"], pod["nodeSelector"]) == ("loops", {"disk": "fast"})
    assert pod["tolerations"] == [{"key": "batch", "operator": "Exists"}]
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (1800, 1)


@pytest.mark.parametrize(
    "resources, memory",
    [
        ({}, ("512Mi", "2Gi")),
        ({"requests": {"memory": "4Gi"}}, ("4Gi", None)),
        ({"limits": {"memory": "256Mi"}}, (None, "256Mi")),
        ({"requests": {"cpu": "2"}}, ("512Mi", "2Gi")),
    ],
    ids=["defaults", "request above our limit", "limit below our request", "another resource"],
)
def test_defaults_never_contradict_what_the_policy_says(resources, memory):
    jobs = JobSettings.model_validate({"resources": resources})
    found = container_of(a_job(jobs=jobs))["resources"]
    assert (found.get("requests", {}).get("memory"), found.get("limits", {}).get("memory")) == memory


# ---------------------------------------------------------------- what each stage of a run gets


async def stages():
    """The Jobs of a whole run, by stage."""
    endpoint = {"url": "http://s/replay", "apiKeySecretRef": {"name": "staging", "key": "token"}}
    reflection = {"endpoint": "http://m/v1", "model": "m", "apiKeySecretRef": {"name": "model", "key": "token"}}
    world = a_world(
        agent=an_agent_object(replay={"endpoint": endpoint}),
        **a_policy_object(proposals={"reflection": reflection})["spec"],
    )
    await world.settle()
    return {job["metadata"]["labels"]["ninefold.dev/job-stage"]: job for job in world.cluster.all("Job")}


async def test_secrets_and_traces_go_only_to_the_stages_that_need_them():
    jobs = await stages()
    assert {stage: sorted(secrets_of(job)) for stage, job in jobs.items()} == {
        "probe": [],
        "analyze": [],
        "propose": ["NINEFOLD_REFLECTION_API_KEY"],
        "replay-selection": ["NINEFOLD_REPLAY_API_KEY"],
        "replay-sealed": ["NINEFOLD_REPLAY_API_KEY"],
    }
    mounts = {stage: any(v["name"] == "traces" for v in pod_of(job)["volumes"]) for stage, job in jobs.items()}
    assert mounts == {
        "probe": True,
        "analyze": True,
        "propose": False,
        "replay-selection": False,
        "replay-sealed": False,
    }


async def test_a_pod_that_pays_for_calls_is_given_the_time_that_one_may_take():
    endpoint = {"url": "http://agent/replay", "timeout": "90s"}
    world = a_world(agent=an_agent_object(replay={"endpoint": endpoint}))
    await world.settle()
    given = {job["metadata"]["labels"]["ninefold.dev/job-stage"]: pod_of(job) for job in world.cluster.all("Job")}
    grace = {stage: pod.get("terminationGracePeriodSeconds") for stage, pod in given.items()}
    assert grace == {"probe": None, "analyze": None, "propose": 100, "replay-selection": 100, "replay-sealed": 100}


async def test_the_key_of_the_search_judge_goes_to_the_analysis_where_that_judge_grades_history():
    ref = {"name": "models", "key": "token"}
    named = {"endpoint": "http://m/v1", "model": "small", "apiKeySecretRef": ref}
    judges = {"rubric": "It is right.", "search": named, "gate": {"endpoint": "http://m/v1", "model": "large"}}
    for history, given in ((0, {}), (100, {"NINEFOLD_JUDGE_API_KEY": ref})):
        agent = an_agent_object(success={"score": "solved", "judges": {**judges, "history": history}})
        world = a_world(agent=agent)
        await world.settle()
        jobs = {job["metadata"]["labels"]["ninefold.dev/job-stage"]: job for job in world.cluster.all("Job")}
        assert secrets_of(jobs["analyze"]) == given


async def test_the_password_of_the_engine_goes_to_the_analysis_alone():
    ref = {"name": "clickhouse", "key": "password"}
    engine = {"clickhouse": {"url": "http://clickhouse:8123", "passwordSecretRef": ref}}
    world = a_world(**a_policy_object(analysis={"engine": engine})["spec"])
    await world.settle()
    given = {job["metadata"]["labels"]["ninefold.dev/job-stage"]: secrets_of(job) for job in world.cluster.all("Job")}
    assert given["analyze"] == {"NINEFOLD_ENGINE_PASSWORD": ref}
    assert not any(given[stage] for stage in given if stage != "analyze")


async def test_each_stage_is_given_the_artifacts_that_it_needs_and_only_the_sealed_one_the_candidate():
    jobs = await stages()
    upstream = {
        stage: sorted(json.loads(environment(job).get("NINEFOLD_UPSTREAM", "{}"))) for stage, job in jobs.items()
    }
    assert upstream == {
        "probe": [],
        "analyze": [],
        "propose": ["analyze"],
        "replay-selection": ["analyze", "propose"],
        "replay-sealed": ["analyze", "propose", "replay-selection"],
    }
    frozen = {stage: environment(job).get("NINEFOLD_CANDIDATE") for stage, job in jobs.items()}
    assert [stage for stage, candidate in frozen.items() if candidate] == ["replay-sealed"]
    assert container_of(jobs["replay-sealed"])["args"] == ["replay", "--bucket", "sealed"]


async def test_no_value_of_a_secret_can_stand_in_a_job_because_none_is_ever_read():
    world = a_world()
    asked = []
    original = world.cluster.get

    async def get(kind, namespace, name):
        asked.append(kind)
        return await original(kind, namespace, name)

    world.cluster.get = get
    await world.settle()
    assert "Secret" not in asked


def test_shards_are_an_indexed_job_in_which_each_fails_alone():
    spec = a_job(stage="read", args=("read",), shards=4, jobs=JobSettings(backoff_limit=2))["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert spec["backoffLimitPerIndex"] == 2 and "backoffLimit" not in spec
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "FailIndex"


async def test_traces_are_read_in_shards_first_where_the_policy_says_so():
    world = a_world(analysis={"parallelism": 4})
    await world.settle()
    jobs = {job["metadata"]["labels"]["ninefold.dev/job-stage"]: job for job in world.cluster.all("Job")}
    assert list(world.behave.calls)[:3] == ["probe", "read", "analyze"]
    assert jobs["read"]["spec"]["completions"] == 4 and "completions" not in jobs["analyze"]["spec"]
    assert any(volume["name"] == "traces" for volume in pod_of(jobs["read"])["volumes"])
    assert "NINEFOLD_UPSTREAM" not in environment(jobs["analyze"])
    run = world.cluster.one("OptimizationRun", "nightly-g1")
    assert [entry["name"] for entry in run["status"]["stages"]][:2] == ["read", "analyze"]


async def test_losses_of_the_traces_stand_in_the_status_of_run_and_agent_the_most_frequent_first():
    lost = {f"loss_{n:02}": n for n in range(40)}

    def analyze(cluster, job, env):
        return analysis(cluster, env).model_copy(update={"losses": lost})

    world = a_world(Jobs(analyze=analyze))
    await world.settle()
    run = world.cluster.one("OptimizationRun", "nightly-g1")["status"]["losses"]
    assert (len(run), run[0], run[-1]["count"]) == (32, {"name": "loss_39", "count": 39}, 8)
    assert world.cluster.one("Agent", "support")["status"]["losses"] == run
