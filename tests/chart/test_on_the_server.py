"""The rendered chart on the real API server: it is taken, and its account may do what the operator does, no more."""

import json
from collections.abc import Iterator

import pytest

from ninefold.api.tracebackend import VolumeSource
from ninefold.controllers.actions import ObjectRef
from ninefold.controllers.jobs import JobRequest, job_manifest
from ninefold.controllers.settings import OperatorSettings, RedisAddress
from ninefold.kube import resources
from testbed import ControlPlane

from .conftest import NAMESPACE, Helm, Manifest, Render, as_list, of_kind

pytestmark = pytest.mark.integration

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:n-ninefold"
LEASE = "leases.coordination.k8s.io/n-ninefold"
EXTERNAL = {"builtIn": {"enabled": False}, "url": "redis://redis.other:6379/0"}
VARIANTS: dict[str, Manifest] = {
    "the defaults": {},
    "two replicas": {"replicas": 2},
    "some namespaces": {"watch": {"namespaces": ["tenant-a", "tenant-b"]}},
    "a Redis of one's own": {"redis": EXTERNAL},
    "a Redis with a password": {"redis": {"builtIn": {"enabled": False}, "existingSecret": {"name": "redis"}}},
    "all that may be set on a pod": {
        "podLabels": {"team": "agents"},
        "podAnnotations": {"note": "yes"},
        "priorityClassName": "high",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "serviceAccount": {"name": "optimizer", "annotations": {"role": "none"}},
        "fullnameOverride": "nine",
        "jobs": {"imagePullSecrets": ["registry"], "serviceAccountName": "jobs"},
        "redis": {"builtIn": {"resources": {"limits": {"cpu": 1}}}},
    },
}


@pytest.fixture(scope="module")
def cluster(installed: ControlPlane) -> Iterator[ControlPlane]:
    """Namespaces that the chart names; the release's own refuses pods that are not restricted."""
    for name in (NAMESPACE, "tenant-a", "tenant-b"):
        installed.create_namespace(name)
    installed.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield installed
    for name in (NAMESPACE, "tenant-a", "tenant-b"):
        installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_the_api_server_takes_the_chart(values: Manifest, cluster: ControlPlane, render: Render) -> None:
    manifests = as_list(render(values))
    done = cluster.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f-", stdin=manifests)
    assert "Warning" not in done.stderr, done.stderr


def test_the_notes_name_what_was_opened(cluster: ControlPlane, helm: Helm) -> None:
    def notes(values: Manifest | None = None) -> str:
        server = ("--dry-run=server", f"--kubeconfig={cluster.kubeconfig()}")
        done = helm("install", "n", "--take-ownership", *server, values=values)
        return done.stdout.partition("NOTES:")[2] or done.stderr

    assert "watches all namespaces" in notes()
    assert "allowHostPath" not in notes()
    opened = notes({"allowHostPath": True, "crds": {"keep": False}, "redis": {"builtIn": {"networkPolicy": False}}})
    for warning in ("allowHostPath is on", "crds.keep is off", "every pod can reach it"):
        assert warning in opened


def test_an_uninstall_takes_the_operator_and_leaves_what_users_made(cluster: ControlPlane, helm: Helm) -> None:
    server = f"--kubeconfig={cluster.kubeconfig()}"
    backend = json.dumps(
        {
            "apiVersion": "ninefold.dev/v1alpha1",
            "kind": "TraceBackend",
            "metadata": {"name": "survivor", "namespace": "tenant-a"},
            "spec": {"otlp": {"volume": {"configMap": {"name": "traces"}}}},
        }
    )
    installed = helm("install", "n", "--take-ownership", server)
    assert installed.returncode == 0, installed.stderr
    upgraded = helm("upgrade", "n", server, values={"replicas": 2})
    assert upgraded.returncode == 0, upgraded.stderr
    cluster.kubectl("create", "--filename=-", stdin=backend)
    cluster.kubectl("get", f"--namespace={NAMESPACE}", "deployment/n-ninefold", "poddisruptionbudget/n-ninefold")
    removed = helm("uninstall", "n", server)
    assert removed.returncode == 0, removed.stderr
    assert cluster.kubectl("get", f"--namespace={NAMESPACE}", "deployments", "--output=name").stdout == ""
    assert cluster.kubectl("get", "nftb", "survivor", "--namespace=tenant-a", "--output=name").stdout


def test_its_pods_pass_the_restricted_standard(cluster: ControlPlane, render: Render) -> None:
    for manifest in of_kind(render(), "Deployment"):
        template = manifest["spec"]["template"]
        account = {"serviceAccountName": "default", "priority": None}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "try"}, "spec": template["spec"] | account}
        stdin = json.dumps(pod)
        cluster.kubectl(f"--namespace={NAMESPACE}", "create", "--dry-run=server", "--filename=-", stdin=stdin)


SOURCES: dict[str, Manifest] = {
    "a claim": {"persistentVolumeClaim": {"claimName": "traces"}},
    "a ConfigMap": {"configMap": {"name": "traces"}},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_pods_of_jobs_pass_the_restricted_standard_too(source: Manifest, cluster: ControlPlane) -> None:
    request = JobRequest(
        owner=ObjectRef("ninefold.dev/v1alpha1", "TraceBackend", NAMESPACE, "traces", "uid"),
        stage="probe",
        attempt=1,
        args=("probe",),
        artifact="key",
        inputs="inputs",
        image="ninefold/jobs:0.1.0",
        labels={},
        traces=VolumeSource.model_validate(source),
    )
    job = job_manifest(request, OperatorSettings(job_image="unused", redis=RedisAddress(url="redis://host")))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "try"}, "spec": job["spec"]["template"]["spec"]}
    cluster.kubectl(f"--namespace={NAMESPACE}", "create", "--dry-run=server", "--filename=-", stdin=json.dumps(pod))


READ = ("get", "list", "watch")
NEEDS: dict[str, tuple[str, ...]] = {
    **{f"{resource.plural}.{resource.group}": READ for resource in resources.RECONCILED},
    **{f"{resource.plural}.{resource.group}/status": ("patch",) for resource in resources.RECONCILED},
    "optimizationruns.ninefold.dev": (*READ, "create", "delete"),
    "configmaps": (*READ, "create", "update", "delete"),
    "jobs.batch": (*READ, "create", "delete"),
    "pods": ("list",),
    "events.events.k8s.io": ("create",),
}
"""What `ninefold.kube` asks of the API server where it watches: reads of the cache, and the actions of plans."""
NEVER = (
    ("get", "secrets"),
    ("list", "secrets"),
    ("create", "pods"),
    ("get", "pods/log"),
    ("create", "pods/exec"),
    ("update", "agents.ninefold.dev"),
    ("patch", "agents.ninefold.dev"),
    ("patch", "optimizationpolicies.ninefold.dev"),
    ("patch", "optimizationruns.ninefold.dev"),
    ("delete", "agents.ninefold.dev"),
    ("create", "agents.ninefold.dev"),
    ("patch", "jobs.batch"),
    ("deletecollection", "configmaps"),
    ("create", "serviceaccounts/token"),
    ("create", "roles.rbac.authorization.k8s.io"),
    ("impersonate", "users"),
    ("get", "leases.coordination.k8s.io"),
)


def test_the_needs_cover_every_resource_that_the_operator_knows() -> None:
    known = {f"{r.plural}.{r.group}".rstrip(".") for r in resources.BY_KIND.values()}
    assert known - {"leases.coordination.k8s.io"} == {need.split("/")[0] for need in NEEDS}


def test_the_rules_are_the_needs(render: Render) -> None:
    given: dict[str, set[str]] = {}
    role = next(role for role in of_kind(render(), "ClusterRole") if role["metadata"]["name"] == "n-ninefold")
    for rule in role["rules"]:
        for resource in rule["resources"]:
            kind, _, subresource = resource.partition("/")
            name = f"{kind}.{rule['apiGroups'][0]}".rstrip(".") + (f"/{subresource}" if subresource else "")
            given.setdefault(name, set()).update(rule["verbs"])
    assert given == {need: set(verbs) for need, verbs in NEEDS.items()}


@pytest.fixture(scope="module", params=["everywhere", "in tenant-a"])
def watched(request: pytest.FixtureRequest, cluster: ControlPlane, render: Render) -> Iterator[str]:
    """The chart's RBAC is there, for all namespaces or for one."""
    values = {} if request.param == "everywhere" else {"watch": {"namespaces": ["tenant-a"]}}
    rbac = of_kind(render(values), "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=as_list(rbac))
    yield request.param
    cluster.kubectl("delete", "--filename=-", stdin=as_list(rbac))


def may(cluster: ControlPlane, verb: str, resource: str, namespace: str = "tenant-a") -> bool:
    """What the API server answers when the operator's account asks."""
    kind, _, subresource = resource.partition("/")
    arguments = ["auth", "can-i", verb, kind, f"--namespace={namespace}", f"--as={ACCOUNT}"]
    if subresource:
        arguments.append(f"--subresource={subresource}")
    return cluster.kubectl(*arguments, check=False).stdout.strip() == "yes"


def test_it_may_do_what_the_operator_does(watched: str, cluster: ControlPlane) -> None:
    denied = [(verb, need) for need, verbs in NEEDS.items() for verb in verbs if not may(cluster, verb, need)]
    assert denied == []


def test_it_may_do_nothing_else_of_note(watched: str, cluster: ControlPlane) -> None:
    assert [(verb, resource) for verb, resource in NEVER if may(cluster, verb, resource)] == []


def test_it_may_do_nothing_where_it_does_not_watch(watched: str, cluster: ControlPlane) -> None:
    assert may(cluster, "get", "configmaps", "tenant-b") is (watched == "everywhere")


def test_it_holds_its_own_lease_and_no_other(watched: str, cluster: ControlPlane) -> None:
    for verb in ("get", "update"):
        assert may(cluster, verb, "leases.coordination.k8s.io", NAMESPACE) is False
        answer = cluster.kubectl("auth", "can-i", verb, LEASE, f"--namespace={NAMESPACE}", f"--as={ACCOUNT}")
        assert answer.stdout.strip() == "yes"


def test_no_rule_has_a_wildcard_and_none_names_secrets(render: Render) -> None:
    for values in VARIANTS.values():
        for role in of_kind(render(values), "ClusterRole", "Role"):
            for rule in role["rules"]:
                words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
                assert "*" not in words
                assert "secrets" not in words
