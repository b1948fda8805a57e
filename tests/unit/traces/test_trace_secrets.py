"""The secrets of a backend reach only its Jobs, each under a name of its own, and are never told."""

from typing import Any

import pytest

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.controllers.jobs import trace_secrets
from ninefold.jobs.failures import secrets_of

REF = {"name": "login", "key": "it"}
STORE = {"accessKeyIdSecretRef": REF, "secretAccessKeySecretRef": REF}
LOGIN = {"username": "reader", "passwordSecretRef": REF}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"otlp": {"volume": {"configMap": {"name": "c"}}}}, set()),
        (
            {"otlp": {"objectStore": {"url": "s3://bucket", **STORE}}},
            {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY"},
        ),
        ({"clickhouse": {"url": "http://c:8123", "passwordSecretRef": REF}}, {"PASSWORD"}),
        ({"tempo": {"url": "http://t:3200", "login": {"tokenSecretRef": REF}}}, {"TOKEN"}),
        ({"jaeger": {"url": "http://j:16686", "login": LOGIN}}, {"PASSWORD"}),
        ({"plugin": {"name": "csv", "secrets": {"KEY": REF}}, "privacy": {"userHashKeySecretRef": REF}},
         {"PLUGIN_KEY", "USER_HASH_KEY"}),
    ],
)  # fmt: skip
def test_a_job_is_given_the_secrets_of_its_backend_and_tells_none(spec: dict[str, Any], names: set[str]) -> None:
    given = trace_secrets(TraceBackendSpec.model_validate(spec))
    assert {name.removeprefix("NINEFOLD_TRACES_SECRET_") for name in given} == names
    environment = {name: f"secret-{n}" for n, name in enumerate(given)} | {"NINEFOLD_TRACES_ROOT": "/traces"}
    assert secrets_of(environment) == {f"secret-{n}" for n in range(len(given))}
