"""The verbs of `ninefold`: what they print, and the sentence and exit code with which they refuse."""

import json
import sys
from typing import Any

import pytest
import yaml
from builders import SYSTEM, a_receipt, a_version, an_edit

from ninefold.api.agent import AgentSpec
from ninefold.api.edits import Edit
from ninefold.cli import main
from ninefold.versions import pointer, to_configmap

EDIT = an_edit("Rome closes at nine.\nOslo does not.", when={"city": "rome"}, receipt=a_receipt(evidence=["t-1"]))
OLD, NEW = a_version(1), a_version(2, an_edit("Say the price."), EDIT)


@pytest.fixture
def ninefold(monkeypatch, capsys):
    """Run a command line; returns exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ninefold", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def file_of(tmp_path):
    def write(version, change=None):
        configmap = to_configmap("hotel", "ns", version)
        if change:
            change(configmap)
        path = tmp_path / f"{version.name}.yaml"
        path.write_text(yaml.safe_dump(configmap))
        return path

    return write


def test_render_shows_what_an_agent_reads(ninefold, file_of, tmp_path):
    code, plain, _ = ninefold("render", file_of(NEW))
    assert code == 0 and plain == f"# {NEW.name}\n=== system\n{SYSTEM}\n\nSay the price.\n"
    _, rome, _ = ninefold("render", file_of(NEW), "-m", "city=rome", "--json")
    assert json.loads(rome)["components"]["system"].endswith("Oslo does not.")
    for key, text in pointer("hotel", "ns", "prompts", NEW, "Client")["data"].items():
        (tmp_path / key).write_text(text)
    assert ninefold("render", tmp_path, "-m", "city=rome", "--json")[1] == rome


def test_diff_shows_the_change_with_its_evidence(ninefold, file_of):
    code, out, _ = ninefold("diff", file_of(OLD), file_of(NEW))
    assert code == 0 and "+Say the price." in out and "=== system where city = rome" in out and "traces: t-1" in out
    assert ninefold("diff", file_of(OLD), file_of(OLD))[1] == "No difference.\n"


def test_export_prints_a_patch_that_the_agent_takes(ninefold, file_of):
    code, out, _ = ninefold("export", file_of(NEW), "-n", "ns")
    patch = yaml.safe_load(out)
    assert code == 0 and patch["kind"] == "Agent" and patch["metadata"] == {"name": "hotel", "namespace": "ns"}
    edits = [Edit.model_validate(edit) for edit in patch["spec"]["edits"]]
    assert edits == NEW.content.edits
    assert "text: |-\n" in out
    assert set(patch["spec"]) < set(AgentSpec.model_json_schema()["properties"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["render", "missing.yaml"], "missing.yaml cannot be read: No such file or directory."),
        (["render", "{dir}"], "has no release.json"),
        (["render", "{new}", "-m", "city"], "--metadata city has no value: write KEY=VALUE."),
        (["diff", "{new}", "{text}"], "does not hold a ConfigMap: write kubectl get configmap NAME -o yaml into it."),
        (["export", "{tampered}"], "not the rendering of its own manifest"),
    ],
)
def test_refusals_are_sentences_with_exit_code_1(ninefold, file_of, tmp_path, arguments, sentence):
    text = tmp_path / "text.yaml"
    text.write_text("hello")
    places = {
        "dir": tmp_path,
        "new": file_of(NEW),
        "text": text,
        "tampered": file_of(OLD, lambda cm: cm["data"].update(system="x")),
    }
    code, out, err = ninefold(*(argument.format(**places) for argument in arguments))
    assert (code, out) == (1, "")
    assert err.startswith("ninefold: ") and sentence in err


def test_a_wrong_command_line_is_exit_code_2(ninefold):
    assert ninefold("render")[0] == 2


def test_as_a_kubectl_plugin_it_speaks_under_that_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-ninefold", "render", "missing.yaml"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.startswith("kubectl ninefold: missing.yaml")


PROVED = {"id": "together", "hash": NEW.hash, "version": NEW.name, "summary": "2 edits"}


class FakeCluster:
    """Stands in for a cluster with one run and two versions."""

    namespace = "ns"
    status: Any
    approved: list[tuple[str, str]]

    def __init__(self, namespace):
        pass

    def run(self, name):
        return {"status": self.status}

    def approve(self, name, candidate):
        self.approved.append((name, candidate))

    def versions(self, agent):
        forged = to_configmap("hotel", "ns", a_version(3, an_edit("X")))
        forged["data"]["system"] = "x"
        return [forged, to_configmap("hotel", "ns", NEW), to_configmap("hotel", "ns", OLD)] if agent == "hotel" else []


@pytest.fixture
def cluster(monkeypatch):
    fake = type("Fake", (FakeCluster,), {"approved": [], "status": {"candidate": PROVED}})
    monkeypatch.setattr("ninefold.cli.verbs.Cluster", fake)
    return fake


def test_approve_names_the_proved_hash(ninefold, cluster):
    code, out, _ = ninefold("approve", "nightly-1")
    assert code == 0 and out == f"{NEW.name} is approved: 2 edits\n"
    assert cluster.approved == [("nightly-1", NEW.hash)]


def test_nothing_is_approved_that_is_not_proved_or_not_what_was_reviewed(ninefold, cluster):
    assert "nothing was approved" in ninefold("approve", "nightly-1", "--hash", "0123456789")[2]
    cluster.status = {"candidate": {"id": "together", "hash": NEW.hash}}
    assert "no proved version to approve: wait for" in ninefold("approve", "nightly-1")[2]
    assert cluster.approved == []


def test_versions_lists_them_oldest_first_and_marks_what_was_tampered_with(ninefold, cluster):
    _, out, _ = ninefold("versions", "hotel")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        [f"hotel-{a_version(3, an_edit('X')).name}", "TAMPERED"],
        [OLD.name, "baseline"],
        [NEW.name, "candidate"],
    ]
    assert "Agent motel has no versions" in ninefold("versions", "motel")[2]


def test_a_cluster_that_cannot_be_reached_is_a_sentence(ninefold, monkeypatch, tmp_path):
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}],
        "current-context": "c",
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    code, _, err = ninefold("versions", "hotel")
    assert code == 1 and err.splitlines()[-1].startswith("ninefold: the cluster cannot be reached")
