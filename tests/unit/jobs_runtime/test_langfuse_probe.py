"""The probe of a Langfuse project, from the Job's environment to what the operator reads of it."""

import json
from pathlib import Path

import pytest
import redis
from langfuse_clients import a_trace

from ninefold.api.artifacts import JobError, ProbeReport
from ninefold.api.inputs import ProbeInputs
from ninefold.jobs.probe import run
from ninefold.jobs.runtime import GIVE_UP, OK, execute
from standins.langfuse import StandIn, ingest, serving
from standins.langfuse.answers import PUBLIC_KEY, SECRET_KEY
from testbed import RedisServer

ARTIFACT = "ninefold:langfuse-uid:artifact:probe:g1:1"


def environment(redis_server: RedisServer, folder: Path, host: str, **secrets: str) -> dict[str, str]:
    key = {"name": "langfuse", "key": "k"}
    source = {"host": host, "publicKeySecretRef": key, "secretKeySecretRef": key}
    (folder / "inputs.json").write_text(json.dumps({"backend": {"langfuse": source}}))
    return {
        "NINEFOLD_INPUTS": str(folder / "inputs.json"),
        "NINEFOLD_REDIS_URL": redis_server.url,
        "NINEFOLD_ARTIFACT": ARTIFACT,
        "NINEFOLD_TERMINATION_LOG": str(folder / "termination-log"),
        **secrets,
    }


async def test_a_probe_tells_which_api_answers(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"NINEFOLD_LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "NINEFOLD_LANGFUSE_SECRET_KEY": SECRET_KEY}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with serving(StandIn(ingest([a_trace(0)]))) as host:
        assert await execute(run, environment(redis_server, tmp_path, host, **keys), inputs=ProbeInputs) == OK
    stored = redis.Redis.from_url(redis_server.url).get(ARTIFACT)
    found = ProbeReport.from_bytes(stored).capabilities
    assert (found.api, found.traces) == ("Langfuse API V4, server 4.16.0", 1)


async def test_a_wrong_key_ends_the_job_for_good_and_is_not_told(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {"NINEFOLD_LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "NINEFOLD_LANGFUSE_SECRET_KEY": "sk-lf-wrong"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with serving(StandIn(ingest([a_trace(0)]))) as host:
        assert await execute(run, environment(redis_server, tmp_path, host, **keys), inputs=ProbeInputs) == GIVE_UP
    error = JobError.model_validate_json((tmp_path / "termination-log").read_bytes())
    assert (error.reason, error.permanent) == ("WrongKeys", True)
    assert "sk-lf-wrong" not in error.message + caplog.text
