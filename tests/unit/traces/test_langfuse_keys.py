"""The keys of a Langfuse project reach the Jobs that read its traces, by reference, and no other Job."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ninefold.api.artifacts import ProbeReport
from ninefold.api.run import ArtifactRef
from ninefold.api.tracebackend import Capabilities, TraceBackendSpec
from ninefold.controllers.actions import Create
from ninefold.controllers.jobs import trace_secrets, volume_of
from ninefold.controllers.jobstate import Absent, Done, JobState
from ninefold.controllers.objects import backend_of
from ninefold.controllers.settings import OperatorSettings, RedisAddress
from ninefold.controllers.tracebackend import TraceBackendSnapshot, plan
from ninefold.controllers.turns import Turn

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SETTINGS = OperatorSettings("ninefold/jobs:1", RedisAddress("redis://redis"))
SERVER = {
    "host": "https://langfuse.example.com",
    "publicKeySecretRef": {"name": "langfuse", "key": "public"},
    "secretKeySecretRef": {"name": "langfuse", "key": "secret"},
}
EXPORT = {"export": {"volume": {"persistentVolumeClaim": {"claimName": "export"}}}}


def planned(langfuse: dict[str, Any], state: JobState, report: ProbeReport | None = None) -> list[dict[str, Any]]:
    """What the plan writes for a TraceBackend with this source, as manifests."""
    metadata = {
        "name": "traces",
        "namespace": "team",
        "uid": "u-1",
        "generation": 1,
        "creationTimestamp": "2026-11-23T00:00:00Z",
    }
    backend = backend_of(
        {
            "apiVersion": "ninefold.dev/v1alpha1",
            "kind": "TraceBackend",
            "metadata": metadata,
            "spec": {"langfuse": langfuse},
        }
    )
    snapshot = TraceBackendSnapshot(SETTINGS, backend, Turn("g1", NOW), state, report)
    return [vars(action) for action in plan(snapshot, NOW).actions if not isinstance(action, Create)] + [
        action.manifest for action in plan(snapshot, NOW).actions if isinstance(action, Create)
    ]


def job_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return next(m for m in manifests if m.get("kind") == "Job")


def test_the_probe_of_a_server_is_given_both_keys_by_reference_and_no_volume() -> None:
    job = job_of(planned(SERVER, Absent()))
    container = job["spec"]["template"]["spec"]["containers"][0]
    references = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in container["env"] if "valueFrom" in e}
    assert references == {
        "NINEFOLD_LANGFUSE_PUBLIC_KEY": {"name": "langfuse", "key": "public"},
        "NINEFOLD_LANGFUSE_SECRET_KEY": {"name": "langfuse", "key": "secret"},
    }
    assert "traces" not in {mount["name"] for mount in container["volumeMounts"]}


def test_an_export_is_mounted_and_needs_no_key() -> None:
    spec = TraceBackendSpec.model_validate({"langfuse": EXPORT})
    assert trace_secrets(spec) == {}
    assert volume_of(spec) == spec.langfuse.export.volume  # type: ignore[union-attr]


@pytest.mark.parametrize("source", [{"otlp": {"volume": {"configMap": {"name": "traces"}}}}, {"langfuse": EXPORT}])
def test_other_backends_ask_for_no_secret(source: dict[str, Any]) -> None:
    assert trace_secrets(TraceBackendSpec.model_validate(source)) == {}


@pytest.mark.parametrize(("traces", "says"), [(3, "Langfuse API V4, 3 traces"), (0, "check that the keys are those")])
def test_the_status_says_which_api_answers_and_what_to_check_when_there_is_nothing(traces: int, says: str) -> None:
    ref = ArtifactRef(artifact="ninefold:u-1:artifact:probe:g1:1", sha256="0" * 64, bytes=1)
    report = ProbeReport(capabilities=Capabilities(api="Langfuse API V4", files=0, bytes=0, traces=traces))
    assert says in str(planned(SERVER, Done(ref, NOW), report))
