"""`ninefold approve`, `versions` and `export` against the real API server."""

import json
import sys
from collections.abc import Callable

import pytest
from builders import a_version, an_agent_object, an_edit, an_object

from ninefold.cli import main
from ninefold.versions import restaged, to_configmap
from testbed import ControlPlane
from testbed.fixtures import Kubectl

pytestmark = pytest.mark.integration

STABLE, PROVED = a_version(1), a_version(2, an_edit("Say the price."))


@pytest.fixture
def ninefold(
    installed: ControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command line as the administrator; returns what it prints."""
    path = str(installed.kubeconfig())
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr()
        return printed.out or printed.err

    return run


def test_a_proved_version_is_listed_and_approved_by_its_hash(
    ninefold: Callable[..., str], kubectl: Kubectl, namespace: str
) -> None:
    for configmap in (
        restaged(to_configmap("support", namespace, STABLE), "stable"),
        to_configmap("support", namespace, PROVED),
    ):
        kubectl("create", "--filename=-", stdin=json.dumps(configmap))
    run = an_object("OptimizationRun", "nightly-1", {"policyRef": {"name": "nightly"}})
    run["metadata"]["namespace"] = namespace
    kubectl("create", "--filename=-", stdin=json.dumps(run))

    listed = [line.split()[:2] for line in ninefold("versions", "support", "-n", namespace).splitlines()[1:]]
    assert listed == [[STABLE.name, "stable"], [PROVED.name, "candidate"]]

    assert "no proved version" in ninefold("approve", "nightly-1", "-n", namespace)
    candidate = {"id": "together", "hash": PROVED.hash, "version": PROVED.name, "summary": "1 edit"}
    status = json.dumps({"status": {"candidate": candidate}})
    kubectl("patch", "optimizationrun", "nightly-1", "--subresource=status", "--type=merge", f"--patch={status}")
    assert ninefold("approve", "nightly-1", "-n", namespace) == f"{PROVED.name} is approved: 1 edit\n"
    approval = kubectl("get", "optimizationrun", "nightly-1", "--output=jsonpath={.spec.approval}").stdout
    assert approval == PROVED.hash
    assert "it is not there" in ninefold("approve", "nightly-2", "-n", namespace)


def test_the_exported_patch_is_taken_by_the_agent(
    ninefold: Callable[..., str], kubectl: Kubectl, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("export")
    agent = an_agent_object("support")
    agent["metadata"]["namespace"] = namespace
    kubectl("create", "--filename=-", stdin=json.dumps(agent))
    version, patch = folder / "version.yaml", folder / "patch.yaml"
    version.write_text(json.dumps(to_configmap("support", namespace, PROVED)))
    patch.write_text(ninefold("export", str(version)))
    kubectl("patch", "agents.ninefold.dev", "support", "--type=merge", f"--patch-file={patch}")
    text = kubectl("get", "agents.ninefold.dev", "support", "--output=jsonpath={.spec.edits[0].text}").stdout
    assert text == "Say the price."
