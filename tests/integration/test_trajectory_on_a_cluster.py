"""`replay.trajectory` as a Job on the real API server: our manifest, the real stage, a model over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.process import eventually
from model_standin import model_standin
from unit.replay.conftest import Staging
from unit.replay.test_replay_job import HELPS, JobBench
from unit.replay.test_trajectory_job import CASES, all_was_answered, books, looped, sandbox, with_recordings

from ninefold.api.outcomes import ReplayReport
from ninefold.api.run import ArtifactRef
from ninefold.controllers.actions import ObjectRef
from ninefold.controllers.jobs import INPUTS_KEY, JobRequest, job_manifest
from ninefold.controllers.settings import OperatorSettings, RedisAddress
from ninefold.store import Store
from testbed import LocalNode, RedisServer
from testbed.fixtures import Kubectl

pytestmark = pytest.mark.integration


@pytest.fixture
def staging() -> Iterator[Staging]:
    server = Staging()
    server.answer = sandbox
    server.start()
    yield server
    server.stop()


async def test_a_replay_of_the_loop_is_a_job_like_any_other(
    kubectl: Kubectl, namespace: str, local_node: LocalNode, redis_server: RedisServer, staging: Staging, tmp_path: Path
) -> None:
    with model_standin(books) as model:
        async with Store(redis_server.url) as store:
            bench = JobBench(store, staging, tmp_path, redis_server.url, cases=with_recordings)
            bench.agent = looped(model, staging)
            await bench.upstream(HELPS, number=CASES)
            environment = bench.environment("sealed", **bench.frozen(HELPS))
            kubectl("create", "configmap", "inputs", f"--from-file={INPUTS_KEY}={tmp_path / 'inputs.json'}")
            owner = json.loads(kubectl("get", "configmap", "inputs", "--output=json").stdout)["metadata"]["uid"]
            request = JobRequest(
                owner=ObjectRef("v1", "ConfigMap", namespace, "inputs", owner),
                stage="replay-sealed",
                attempt=1,
                args=("replay", "--bucket", "sealed"),
                artifact=environment["NINEFOLD_ARTIFACT"],
                inputs="inputs",
                image="ninefold-jobs",
                labels={},
                upstream=bench.refs,
                env={name: value for name, value in environment.items() if "CANDIDATE" in name},
            )
            settings = OperatorSettings(job_image="ninefold-jobs", redis=RedisAddress(url=redis_server.url))
            kubectl("apply", "--filename=-", stdin=json.dumps(job_manifest(request, settings, "trajectory")))
            message = eventually(lambda: told(kubectl), "the end of the pod")
            ref = ArtifactRef.model_validate_json(message)
            all_was_answered(ReplayReport.from_bytes(await store.artifacts.get(ref)))


def told(kubectl: Kubectl) -> str | None:
    """The termination message of the Job's pod."""
    pods = json.loads(kubectl("get", "pods", "--selector=job-name=trajectory", "--output=json").stdout)["items"]
    states = [s["state"] for pod in pods for s in pod["status"].get("containerStatuses", [])]
    return next((state["terminated"]["message"] for state in states if "terminated" in state), None)
