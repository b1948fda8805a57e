"""What the frame around a stage promises the operator: a message that fits, an exit code, and no leak."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from ninefold.api.artifacts import Artifact, JobError, ProbeReport, sha256
from ninefold.api.inputs import ProbeInputs
from ninefold.api.run import ArtifactRef
from ninefold.api.tracebackend import Capabilities
from ninefold.jobs.failures import scrub
from ninefold.jobs.runtime import GIVE_UP, OK, RETRY, TERMINATION_BYTES, JobContext, JobFailure, execute
from testbed import RedisServer
from testbed.ports import free_port

REPORT = ProbeReport(capabilities=Capabilities(files=1, bytes=2, traces=3))
KEY = "ninefold:backend-uid:artifact:probe:1:1"


@pytest.fixture
def environment(redis_server: RedisServer, tmp_path: Path) -> dict[str, str]:
    inputs = tmp_path / "inputs.json"
    inputs.write_text('{"backend": {"otlp": {"volume": {"configMap": {"name": "traces"}}}}}')
    return {
        "NINEFOLD_INPUTS": str(inputs),
        "NINEFOLD_REDIS_URL": redis_server.url,
        "NINEFOLD_ARTIFACT": KEY,
        "NINEFOLD_TERMINATION_LOG": str(tmp_path / "termination-log"),
        "NINEFOLD_REPLAY_API_KEY": "sk-secret",
    }


async def succeed(context: JobContext) -> Artifact:
    return REPORT


def fail_with(error: BaseException) -> Callable[[JobContext], Awaitable[Artifact]]:
    async def stage(context: JobContext) -> Artifact:
        raise error

    return stage


def told(environment: dict[str, str]) -> dict[str, object]:
    data = Path(environment["NINEFOLD_TERMINATION_LOG"]).read_bytes()
    assert len(data) <= TERMINATION_BYTES
    message: dict[str, object] = json.loads(data)
    return message


async def error_of(stage: Callable[[JobContext], Awaitable[Artifact]], environment: dict[str, str]) -> JobError:
    code = await execute(stage, environment, inputs=ProbeInputs)
    error = JobError.model_validate(told(environment))
    assert code in (RETRY, GIVE_UP)
    return error


async def test_a_result_goes_to_the_store_and_its_digest_into_the_termination_message(
    environment: dict[str, str],
) -> None:
    assert await execute(succeed, environment, inputs=ProbeInputs) == OK
    stored = redis.Redis.from_url(environment["NINEFOLD_REDIS_URL"]).get(KEY)
    assert stored == REPORT.to_bytes()
    assert told(environment) == {"artifact": KEY, "sha256": sha256(stored), "bytes": len(stored)}


async def test_a_failure_that_only_a_user_can_mend_ends_the_job_at_once(environment: dict[str, str]) -> None:
    stage = fail_with(JobFailure("NoFiles", "no file matches traces/*.jsonl", permanent=True))
    assert await execute(stage, environment, inputs=ProbeInputs) == GIVE_UP
    assert told(environment) == {"reason": "NoFiles", "message": "no file matches traces/*.jsonl", "permanent": True}


async def test_a_failure_that_may_pass_is_tried_again_by_the_job(environment: dict[str, str]) -> None:
    stage = fail_with(JobFailure("EndpointDown", "the endpoint answered 503", permanent=False))
    assert await execute(stage, environment, inputs=ProbeInputs) == RETRY


async def test_a_failure_inside_a_task_group_is_told_as_itself(environment: dict[str, str]) -> None:
    async def stage(context: JobContext) -> Artifact:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail_with(JobFailure("Down", "it is down", permanent=False))(context))  # type: ignore[arg-type]
        return REPORT

    assert (await error_of(stage, environment)).reason == "Down"


async def test_an_unexpected_exception_tells_its_type_but_neither_content_nor_secrets(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    stage = fail_with(KeyError("the user said sk-secret"))
    error = await error_of(stage, environment)
    assert error.reason == "InternalError"
    assert error.message.startswith("KeyError.")
    assert not error.permanent
    assert "user said" not in error.message + caplog.text
    assert "sk-secret" not in error.message + caplog.text


async def test_a_stage_that_is_told_to_stop_says_so(environment: dict[str, str]) -> None:
    started = asyncio.Event()

    async def stage(context: JobContext) -> Artifact:
        started.set()
        await asyncio.Event().wait()
        return REPORT

    task = asyncio.create_task(execute(stage, environment, inputs=ProbeInputs))
    await started.wait()
    task.cancel()
    assert await task == RETRY
    assert told(environment)["reason"] == "Interrupted"


async def test_a_lost_upstream_artifact_fails_the_job_at_once_but_is_nobodys_fault(environment: dict[str, str]) -> None:
    ref = ArtifactRef(artifact="ninefold:a:artifact:r:analyze:1", sha256="0" * 64, bytes=2)
    environment["NINEFOLD_UPSTREAM"] = json.dumps({"analyze": ref.wire()})

    async def stage(context: JobContext) -> Artifact:
        return await context.upstream_artifact("analyze", ProbeReport)

    assert await execute(stage, environment, inputs=ProbeInputs) == GIVE_UP
    error = JobError.model_validate(told(environment))
    assert (error.reason, error.permanent) == ("ArtifactLost", False)


async def test_an_extra_artifact_is_read_back_by_its_reference(environment: dict[str, str]) -> None:
    async def stage(context: JobContext) -> Artifact:
        ref = await context.store_extra("sealed", REPORT)
        assert ref.artifact == f"{KEY}:sealed"
        return await context.artifact(ref, ProbeReport)

    assert await execute(stage, environment, inputs=ProbeInputs) == OK


async def test_an_artifact_of_another_kind_is_refused_without_quoting_it(environment: dict[str, str]) -> None:
    async def stage(context: JobContext) -> Artifact:
        ref = await context.store.artifacts.put("k", b'{"capabilities": "what a user said"}')
        return await context.artifact(ref, ProbeReport)

    error = await error_of(stage, environment)
    assert error.reason == "ArtifactUnreadable"
    assert "capabilities" in error.message
    assert "what a user said" not in error.message


async def test_nothing_is_computed_when_redis_cannot_take_the_result(environment: dict[str, str]) -> None:
    environment["NINEFOLD_REDIS_URL"] = f"redis://:hunter2@127.0.0.1:{free_port()}"
    error = await error_of(fail_with(AssertionError("must not run")), environment)
    assert error.reason == "StoreUnavailable"
    assert "hunter2" not in error.message


@pytest.mark.parametrize("name", ["NINEFOLD_INPUTS", "NINEFOLD_REDIS_URL", "NINEFOLD_ARTIFACT"])
async def test_a_missing_variable_is_named(environment: dict[str, str], name: str) -> None:
    del environment[name]
    error = await error_of(succeed, environment)
    assert (error.reason, error.permanent) == ("BadEnvironment", True)
    assert name in error.message


async def test_a_long_message_in_any_script_fits_the_termination_log(environment: dict[str, str]) -> None:
    for letter in ("a", "€", "😀", "\x01", '"'):
        error = await error_of(fail_with(JobFailure("Long", letter * 5000, permanent=True)), environment)
        assert len(error.message) > 600
        assert set(error.message) == {letter}


async def test_a_termination_message_that_cannot_be_written_is_no_success(environment: dict[str, str]) -> None:
    environment["NINEFOLD_TERMINATION_LOG"] = "/nowhere/termination-log"
    assert await execute(succeed, environment, inputs=ProbeInputs) == RETRY


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("line 1\nline 2", "line 1"),
        ("cannot parse 'Jane Doe' here", "cannot parse"),
        ("row=Jane", "row"),
        ("cannot connect to redis://:pw@host:1", "cannot connect to redis://…@host:1"),
        ("key sk-1 refused", "key … refused"),
        ("", ""),
    ],
)
def test_scrubbing_keeps_what_a_library_says_and_drops_what_it_quotes(text: str, left: str) -> None:
    assert scrub(text, frozenset({"sk-1"})) == left
