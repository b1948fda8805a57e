"""OTLP in an S3-compatible store, here moto's (docs/backends/otlp.md)."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from trace_builders import START, request, wire_span

from ninefold.api.tracebackend import LOGIN_PREFIX, TraceBackendSpec
from ninefold.traces import Backend, TracesProblem, Window, open_backend

KEYS = {f"{LOGIN_PREFIX}ACCESS_KEY_ID": "key", f"{LOGIN_PREFIX}SECRET_ACCESS_KEY": "secret"}
REFS = {
    "accessKeyIdSecretRef": {"name": "s3", "key": "id"},
    "secretAccessKeySecretRef": {"name": "s3", "key": "secret"},
}
HOUR = 3600 * 10**9


def exported(trace: int) -> bytes:
    said = {"gen_ai__operation__name": "chat", "gen_ai__output__messages": "Hello."}
    return json.dumps(request(wire_span(0, trace=trace, **said))).encode()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    s3.create_bucket(Bucket="telemetry")
    for n, day in enumerate((15, 16, 20), 1):
        key = f"traces/year=2025/month=06/day={day}/hour=15/minute=06/traces_{n}.json.gz"
        s3.put_object(Bucket="telemetry", Key=key, Body=gzip.compress(exported(n)))
    s3.put_object(Bucket="telemetry", Key="other/traces.json", Body=exported(7))
    yield url
    server.stop()


def backend(endpoint: str, url: str = "s3://telemetry/traces", path: str = "", **more: Any) -> Backend:
    store = {"url": url, "endpoint": endpoint, **REFS, **more}
    return open_backend(TraceBackendSpec.model_validate({"otlp": {"objectStore": store, "path": path}}), None, KEYS)


def test_objects_below_the_prefix_are_read_and_those_of_other_days_are_not_opened(endpoint: str) -> None:
    source = backend(endpoint)
    assert [r.trace_id[-1] for r in source.read(Window(START, START + HOUR))] == ["1", "2"]
    assert source.losses["files_outside_window"] == 1


@pytest.mark.parametrize(
    ("path", "found"), [("", 4), ("other", 1), ("other/*.json", 1), ("traces/**/*.gz", 3), ("traces/*.gz", 0)]
)
def test_a_path_may_be_a_file_a_folder_or_a_glob(endpoint: str, path: str, found: int) -> None:
    assert backend(endpoint, "s3://telemetry", path).probe().files == found


@pytest.mark.parametrize(
    ("url", "reason", "says"),
    [
        ("s3://telemetrie", "NoSuchBucket", "has no bucket of this name: check objectStore.url s3://telemetrie"),
        ("s3://telemetry/spans", "NoTraces", "nothing is below s3://telemetry/spans"),
    ],
)
def test_what_a_user_must_mend_is_a_sentence(endpoint: str, url: str, reason: str, says: str) -> None:
    with pytest.raises(TracesProblem, match=says) as told:
        backend(endpoint, url).probe()
    assert told.value.reason == reason
