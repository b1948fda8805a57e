"""Manifests of the Jobs: one container, no Kubernetes credentials, nothing that its stage does not need.

A Job's name is a hash of its owner's UID, stage and attempt, so that planning it twice is planning it once, and a
namesake of the owner made later never meets its predecessor's Jobs. There is no `ttlSecondsAfterFinished`: a Job goes
with its owner, and until then its pod's log can be read.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ninefold.api import labels
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import Model, SecretKeyRef, parse_duration
from ninefold.api.run import ArtifactRef
from ninefold.api.tracebackend import LOGIN_PREFIX, USER_HASH_KEY, LangfuseSource, TraceBackendSpec, VolumeSource
from ninefold.api.workload import Jobs
from ninefold.controllers.actions import Manifest, ObjectRef
from ninefold.controllers.objects import owner_reference
from ninefold.controllers.settings import OperatorSettings

CONTAINER = "job"
INPUTS_DIR = "/etc/ninefold/inputs"
INPUTS_KEY = "inputs.json"
TRACES_DIR = "/var/ninefold/traces"
EXIT_PERMANENT = 2
"""Exit code of a Job that another pod would only repeat."""


@dataclass(frozen=True)
class JobRequest:
    """What one Job shall do. `attempt` counts from 1; `artifact` is the key that it must write."""

    owner: ObjectRef
    stage: str
    attempt: int
    args: tuple[str, ...]
    artifact: str
    inputs: str
    """Name of the ConfigMap with `inputs.json`."""
    image: str
    labels: dict[str, str]
    jobs: Jobs = field(default_factory=Jobs)
    deadline: timedelta | None = None
    """Instead of `jobs.deadline`."""
    grace: timedelta | None = None
    """Between being told to stop and being killed; None: what the cluster gives."""
    upstream: dict[str, ArtifactRef] = field(default_factory=dict)
    traces: VolumeSource | None = None
    secrets: dict[str, SecretKeyRef] = field(default_factory=dict)
    """Environment variable to Secret key."""
    env: dict[str, str] = field(default_factory=dict)
    shards: int = 1
    """More than one: an Indexed Job, each of whose pods does the share of its number, and fails by itself."""


def job_name(owner: ObjectRef, stage: str, attempt: int | str) -> str:
    """At most 63 characters, for a pod carries it as a label; unique by owner UID, stage and attempt."""
    digest = sha256(canonical([owner.uid, stage, str(attempt)]))[:8]
    return f"{owner.name[:36].rstrip('-')}-{stage}-{digest}"


def artifact_key(scope_uid: str, run: str, stage: str, attempt: int) -> str:
    """The only key under which the operator takes the result of this attempt."""
    return f"ninefold:{scope_uid}:artifact:{run}:{stage}:{attempt}"


def volume_of(backend: TraceBackendSpec) -> VolumeSource | None:
    """Where the files of a backend come from; None when it is read over the network."""
    export = backend.langfuse.export if backend.langfuse is not None else None
    source = backend.otlp or backend.files or backend.plugin or export
    return source.volume if source is not None else None


def trace_secrets(backend: TraceBackendSpec) -> dict[str, SecretKeyRef]:
    """What a Job that reads the backend needs to be let in: environment variable to Secret key."""
    named: dict[str, SecretKeyRef | None] = {USER_HASH_KEY: backend.privacy.user_hash_key_secret_ref}
    if backend.langfuse is not None:
        named |= langfuse_keys(backend.langfuse)
    if backend.otlp is not None and (store := backend.otlp.object_store) is not None:
        named |= {
            f"{LOGIN_PREFIX}ACCESS_KEY_ID": store.access_key_id_secret_ref,
            f"{LOGIN_PREFIX}SECRET_ACCESS_KEY": store.secret_access_key_secret_ref,
        }
    if backend.clickhouse is not None:
        named |= {f"{LOGIN_PREFIX}PASSWORD": backend.clickhouse.password_secret_ref}
    if (server := backend.tempo or backend.jaeger) is not None:
        named |= {
            f"{LOGIN_PREFIX}TOKEN": server.login.token_secret_ref,
            f"{LOGIN_PREFIX}PASSWORD": server.login.password_secret_ref,
        }
    if backend.plugin is not None:
        named |= {f"{LOGIN_PREFIX}PLUGIN_{name}": ref for name, ref in backend.plugin.secrets.items()}
    return {name: ref for name, ref in named.items() if ref is not None}


def langfuse_keys(source: LangfuseSource) -> dict[str, SecretKeyRef]:
    """The key pair of a project, and nothing else: all that a Job that delivers prompts is given."""
    named = {
        "NINEFOLD_LANGFUSE_PUBLIC_KEY": source.public_key_secret_ref,
        "NINEFOLD_LANGFUSE_SECRET_KEY": source.secret_key_secret_ref,
    }
    return {name: ref for name, ref in named.items() if ref is not None}


def host_path_refusal(backend: TraceBackendSpec, settings: OperatorSettings) -> str | None:
    """Why the backend's volume may not be mounted, as a sentence, or None when it may."""
    volume = volume_of(backend)
    host_path = volume.host_path if volume is not None else None
    if host_path is None or settings.allow_host_path:
        return None
    return (
        f"the volume is the directory {host_path.path} of a node, and this operator was started without "
        "allowHostPath: use a persistentVolumeClaim, or set allowHostPath: true in the chart's values"
    )


def inputs_configmap(name: str, owner: ObjectRef, marks: dict[str, str], inputs: Model) -> Manifest:
    """The immutable ConfigMap with `inputs.json`, which goes with its owner."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {**marks, labels.ROLE: "inputs", labels.MANAGED_BY: labels.MANAGER},
            "ownerReferences": [owner_reference(owner)],
        },
        "immutable": True,
        "data": {INPUTS_KEY: canonical(inputs.wire()).decode()},
    }


def job_manifest(request: JobRequest, settings: OperatorSettings, name: str | None = None) -> Manifest:
    """The `batch/v1` Job of a request."""
    marks = {
        **request.labels,
        labels.MANAGED_BY: labels.MANAGER,
        labels.JOB_STAGE: request.stage,
        labels.ATTEMPT: str(request.attempt),
    }
    deadline = request.deadline or parse_duration(request.jobs.deadline)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name or job_name(request.owner, request.stage, request.attempt),
            "namespace": request.owner.namespace,
            "labels": marks,
            "ownerReferences": [owner_reference(request.owner)],
        },
        "spec": {
            "activeDeadlineSeconds": max(1, int(deadline.total_seconds())),
            **_pods(request),
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob" if request.shards == 1 else "FailIndex",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [EXIT_PERMANENT]},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {"metadata": {"labels": marks}, "spec": _pod_spec(request, settings)},
        },
    }


def _pods(request: JobRequest) -> dict[str, Any]:
    """How many pods, and how many of them may fail."""
    if request.shards == 1:
        return {"backoffLimit": request.jobs.backoff_limit}
    return {
        "completionMode": "Indexed",
        "completions": request.shards,
        "parallelism": request.shards,
        "backoffLimitPerIndex": request.jobs.backoff_limit,
    }


def _pod_spec(request: JobRequest, settings: OperatorSettings) -> dict[str, Any]:
    account = request.jobs.service_account_name or settings.job_service_account
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(request, settings)],
        "volumes": _volumes(request),
    }
    if account:
        spec["serviceAccountName"] = account
    if request.grace is not None:
        spec["terminationGracePeriodSeconds"] = int(request.grace.total_seconds())
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    if request.jobs.node_selector:
        spec["nodeSelector"] = dict(request.jobs.node_selector)
    if request.jobs.tolerations:
        spec["tolerations"] = [toleration.wire() for toleration in request.jobs.tolerations]
    return spec


def _container(request: JobRequest, settings: OperatorSettings) -> dict[str, Any]:
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own, not this process's
        {"name": "inputs", "mountPath": INPUTS_DIR, "readOnly": True},
    ]
    if request.traces is not None:
        mounts.append({"name": "traces", "mountPath": TRACES_DIR, "readOnly": True})
    return {
        "name": CONTAINER,
        "image": request.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python", "-m", "ninefold.jobs"],
        "args": list(request.args),
        "env": _environment(request, settings),
        "resources": _resources(request.jobs, settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _environment(request: JobRequest, settings: OperatorSettings) -> list[dict[str, Any]]:
    plain = {
        "NINEFOLD_INPUTS": f"{INPUTS_DIR}/{INPUTS_KEY}",
        "NINEFOLD_ARTIFACT": request.artifact,
        "NINEFOLD_TERMINATION_LOG": "/dev/termination-log",
        "TMPDIR": "/tmp",  # noqa: S108
        "HOME": "/tmp",  # noqa: S108 - libraries that want a home find a writable one
        **request.env,
    }
    if request.upstream:
        upstream = {stage: ref.wire() for stage, ref in request.upstream.items()}
        plain["NINEFOLD_UPSTREAM"] = canonical(upstream).decode()
    if request.traces is not None:
        plain["NINEFOLD_TRACES_ROOT"] = TRACES_DIR
    redis = settings.redis
    if redis.url is not None:
        plain["NINEFOLD_REDIS_URL"] = redis.url
    secrets = {name: {"name": ref.name, "key": ref.key} for name, ref in request.secrets.items()}
    if redis.secret_name is not None and redis.secret_key is not None:
        secrets["NINEFOLD_REDIS_URL"] = {"name": redis.secret_name, "key": redis.secret_key}
    return [
        *({"name": name, "value": plain[name]} for name in sorted(plain)),
        *({"name": name, "valueFrom": {"secretKeyRef": secrets[name]}} for name in sorted(secrets)),
    ]


def _resources(jobs: Jobs, settings: OperatorSettings) -> dict[str, dict[str, str]]:
    """What the policy says; our defaults only for resources that it does not mention at all, for a default limit
    below the user's request would be refused."""
    requests, limits = dict(jobs.resources.requests or {}), dict(jobs.resources.limits or {})
    named = set(requests) | set(limits)
    resources = {
        "requests": {k: v for k, v in settings.job_requests.items() if k not in named} | {**requests},
        "limits": {k: v for k, v in settings.job_limits.items() if k not in named} | {**limits},
    }
    return {kind: values for kind, values in resources.items() if values}


def _volumes(request: JobRequest) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "inputs", "configMap": {"name": request.inputs}},
    ]
    if request.traces is not None:
        volumes.append({"name": "traces", **_trace_volume(request.traces)})
    return volumes


def _trace_volume(source: VolumeSource) -> dict[str, Any]:
    if source.persistent_volume_claim is not None:
        claim = source.persistent_volume_claim.claim_name
        return {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
    if source.host_path is not None:
        return {"hostPath": {"path": source.host_path.path, "type": "Directory"}}
    assert source.config_map is not None, "the schema lets no volume without a source in"
    return {"configMap": {"name": source.config_map.name}}
