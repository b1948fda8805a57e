"""The chart, rendered by Helm as a user would: `render(values, ...)` gives the manifests."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.binaries import KUBERNETES_VERSION, binaries

CHART = Path(__file__).parents[2] / "charts" / "ninefold"
NAMESPACE = "ninefold-system"
Manifest = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Manifest]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """`helm("lint", "--strict", values={...})` on the chart."""

    def run(*command: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
        path = tmp_path_factory.mktemp("values") / "values.yaml"
        path.write_text(yaml.safe_dump(values or {}))
        arguments = [str(binaries() / "helm"), *command, f"--namespace={NAMESPACE}"]
        if command[0] != "uninstall":
            arguments += [str(CHART), f"--values={path}"]
        if command[0] in ("lint", "template"):  # else Helm asks the server
            arguments.append(f"--kube-version={KUBERNETES_VERSION}")
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def render(helm: Helm) -> Render:
    """The manifests that the chart makes of some values, for a release `n` (a word that YAML takes for false)."""

    def rendered(values: Manifest | None = None) -> list[Manifest]:
        done = helm("template", "n", values=values)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    return rendered


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def as_list(manifests: list[Manifest]) -> str:
    """For `kubectl apply --filename=-`: JSON, in which the label `n` stays a text."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
