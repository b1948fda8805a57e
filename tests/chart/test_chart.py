"""What the chart renders: checked values, kept CRDs, restricted pods, one Redis."""

import re
from pathlib import Path
from typing import Any

import pytest

import ninefold
from ninefold.api import labels
from ninefold.process import environment as environment_module

from .conftest import CHART, Helm, Manifest, Render, of_kind

pytestmark = pytest.mark.integration


def deployment(manifests: list[Manifest], component: str) -> Manifest:
    found = [
        manifest
        for manifest in of_kind(manifests, "Deployment")
        if manifest["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    assert len(found) == 1
    return found[0]


def environment(manifests: list[Manifest]) -> dict[str, Any]:
    container = deployment(manifests, "operator")["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container["env"]}


def test_lint_finds_nothing(helm: Helm) -> None:
    done = helm("lint", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


WRONG_VALUES = {
    "a mistyped name": ({"replica": 2}, "additional properties 'replica' not allowed"),
    "no replica": ({"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
    "a password where Jobs would show it": ({"redis": {"url": "redis://:pw@host"}}, "at '/redis/url'"),
    "two Redis": ({"redis": {"url": "redis://host"}}, "name exactly one Redis"),
    "no Redis": ({"redis": {"builtIn": {"enabled": False}}}, "name exactly one Redis"),
    "a namespace in capitals": ({"watch": {"namespaces": ["Prod"]}}, "at '/watch/namespaces/0'"),
    "a log level of another language": ({"operator": {"logLevel": "warn"}}, "at '/operator/logLevel'"),
    "a monitor of nothing": (
        {"metrics": {"service": False, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled needs metrics.service: true",
    ),
}


@pytest.mark.parametrize(("values", "says"), WRONG_VALUES.values(), ids=WRONG_VALUES.keys())
def test_wrong_values_are_refused_with_the_place(values: Manifest, says: str, helm: Helm) -> None:
    done = helm("template", "n", values=values)
    assert done.returncode != 0
    assert says in done.stderr


def test_crds_are_upgraded_with_the_chart_and_outlive_it(render: Render) -> None:
    crds = of_kind(render(), "CustomResourceDefinition")
    assert [crd["metadata"]["annotations"] for crd in crds] == [{"helm.sh/resource-policy": "keep"}] * 4
    unkept = of_kind(render({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert [crd["metadata"].get("annotations") for crd in unkept] == [None] * 4
    assert of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []


def test_the_version_of_chart_and_package_is_one() -> None:
    chart = (CHART / "Chart.yaml").read_text()
    assert f"\nversion: {ninefold.__version__}\n" in chart
    assert f"\nappVersion: {ninefold.__version__}\n" in chart


def test_every_pod_is_restricted(render: Render) -> None:
    for manifest in of_kind(render(), "Deployment"):
        pod = manifest["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert "memory" in container["resources"]["limits"]


def test_only_the_operator_gets_a_token(render: Render) -> None:
    manifests = render()
    assert deployment(manifests, "operator")["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
    assert deployment(manifests, "redis")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert of_kind(manifests, "ServiceAccount")[0]["automountServiceAccountToken"] is False


READ = re.compile(r'"(NINEFOLD_[A-Z_]+)"')


def test_the_operator_is_given_what_it_reads_and_nothing_that_it_does_not(render: Render) -> None:
    read = set(READ.findall(Path(environment_module.__file__).read_text()))
    with_secret = {"redis": {"builtIn": {"enabled": False}, "existingSecret": {"name": "redis"}}}
    given = environment(render()).keys() | environment(render(with_secret)).keys()
    assert given == read


def test_the_environment_that_it_is_given_is_one_that_it_takes(render: Render) -> None:
    options = environment_module.read_options({name: str(value) for name, value in environment(render()).items()})
    assert options.settings.job_image == f"ninefold/jobs:{ninefold.__version__}"
    assert options.lease_namespace == "ninefold-system"
    assert options.namespaces == ()
    assert options.settings.allow_host_path is False


def test_the_operator_and_its_jobs_meet_at_the_built_in_redis(render: Render) -> None:
    manifests = render()
    address = "redis://n-ninefold-redis.ninefold-system.svc:6379/0"
    assert environment(manifests)["NINEFOLD_REDIS_URL"] == address
    assert environment(manifests)["NINEFOLD_JOB_REDIS_URL"] == address
    service = next(s for s in of_kind(manifests, "Service") if s["metadata"]["name"] == "n-ninefold-redis")
    pod = deployment(manifests, "redis")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_a_redis_with_a_password_is_named_by_its_secret_and_nowhere_else(render: Render) -> None:
    values = {"redis": {"builtIn": {"enabled": False}, "existingSecret": {"name": "redis", "key": "address"}}}
    manifests = render(values)
    variables = environment(manifests)
    assert variables["NINEFOLD_REDIS_URL"] == {"secretKeyRef": {"name": "redis", "key": "address"}}
    assert variables["NINEFOLD_JOB_REDIS_SECRET"] == "redis/address"
    assert "NINEFOLD_JOB_REDIS_URL" not in variables
    assert len(of_kind(manifests, "Deployment")) == 1


def test_redis_lets_the_operator_and_jobs_of_the_watched_namespaces_in(render: Render) -> None:
    def peers(values: Manifest | None = None) -> list[Manifest]:
        policy = of_kind(render(values), "NetworkPolicy")[0]["spec"]
        assert policy["egress"] == []
        found: list[Manifest] = policy["ingress"][0]["from"]
        return found

    jobs = {"matchExpressions": [{"key": labels.JOB_STAGE, "operator": "Exists"}]}
    assert peers()[1] == {"namespaceSelector": {}, "podSelector": jobs}
    some = peers({"watch": {"namespaces": ["a", "on"]}})
    assert some[0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    assert some[1]["namespaceSelector"]["matchExpressions"][0]["values"] == ["a", "on"]
    assert some[1]["podSelector"] == jobs


def test_redis_is_given_more_memory_than_it_may_fill_and_forgets_nothing_when_it_is_full(render: Render) -> None:
    values = {"redis": {"builtIn": {"maxMemoryMiB": 512, "resources": {"limits": {"cpu": 1, "memory": "1Mi"}}}}}
    container = deployment(render(values), "redis")["spec"]["template"]["spec"]["containers"][0]
    assert container["command"][container["command"].index("--maxmemory") + 1] == "512mb"
    assert container["command"][container["command"].index("--maxmemory-policy") + 1] == "noeviction"
    assert container["resources"]["limits"] == {"cpu": 1, "memory": "768Mi"}


def test_two_replicas_are_spread_and_one_of_them_stays(render: Render) -> None:
    assert of_kind(render(), "PodDisruptionBudget") == []
    manifests = render({"replicas": 2})
    budget = of_kind(manifests, "PodDisruptionBudget")[0]["spec"]
    pod = deployment(manifests, "operator")["spec"]["template"]
    assert budget["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"


def test_nothing_in_the_chart_names_a_path_of_one_machine() -> None:
    texts = [path.read_text() for path in Path(CHART).rglob("*") if path.is_file()]
    assert not any("/home/" in text or "/root" in text for text in texts)
