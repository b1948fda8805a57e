"""What the real API server says to manifests: the tables `refused.yaml` and `transitions.yaml`, and every example."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import ControlPlane
from testbed.fixtures import Kubectl

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").rglob("*.yaml"))
Row = dict[str, Any]
Make = Callable[..., str]


def rows(table: str) -> list[Any]:
    """The rows of a table as parameters that carry their sentence as name."""
    content = yaml.safe_load((HERE / table).read_text())
    return [pytest.param(row, id=f"{row['kind']} {row['it']}") for row in content]


def test_the_table_of_refusals_is_long_enough_and_has_no_row_twice() -> None:
    table = yaml.safe_load((HERE / "refused.yaml").read_text())
    assert len({(row["kind"], row["it"]) for row in table}) == len(table) >= 25


@pytest.mark.parametrize("kind", ["TraceBackend", "Agent", "OptimizationPolicy", "OptimizationRun"])
def test_the_smallest_manifest_is_taken(kind: str, installed: ControlPlane, manifest: Make) -> None:
    installed.kubectl("create", "--dry-run=server", "--filename=-", stdin=manifest(kind))


@pytest.mark.parametrize("row", rows("refused.yaml"))
def test_a_wrong_manifest_is_refused_with_a_sentence(row: Row, installed: ControlPlane, manifest: Make) -> None:
    wrong = manifest(row["kind"], row["set"])
    answer = installed.kubectl("create", "--dry-run=server", "--filename=-", stdin=wrong, check=False)
    assert answer.returncode != 0, "it was taken"
    assert row["says"] in answer.stderr


@pytest.mark.parametrize("row", rows("transitions.yaml"))
def test_what_may_change_and_what_may_not(row: Row, installed: ControlPlane, kubectl: Kubectl, manifest: Make) -> None:
    kubectl("create", "--filename=-", stdin=manifest(row["kind"], row.get("from")))
    after = manifest(row["kind"], row.get("from"), row["to"])
    answer = kubectl("replace", "--filename=-", stdin=after, check=False)
    if says := row.get("says"):
        assert answer.returncode != 0, "it was taken"
        assert says in answer.stderr
    else:
        assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_taken(path: Path, installed: ControlPlane) -> None:
    installed.kubectl("apply", "--server-side", "--dry-run=server", f"--filename={path}")


def test_a_policy_shows_the_defaults_that_hold(installed: ControlPlane, kubectl: Kubectl, manifest: Make) -> None:
    kubectl("create", "--filename=-", stdin=manifest("OptimizationPolicy"))
    spec = json.loads(kubectl("get", "nfp", "support", "--output=json").stdout)["spec"]
    assert spec["mode"] == "Suggest"
    assert spec["gate"]["alpha"] == 0.05
    assert spec["proposals"] == {"kinds": ["Refine", "InjectContext", "Tool", "Fallback"], "maxCandidates": 4}


COLUMNS = {
    "nftb": "NAME READY TRACES REASON AGE",
    "nfa": "NAME STABLE SUCCESS NINES READY AGE",
    "nfp": "NAME AGENT MODE LAST RUN RESULT NEXT READY AGE",
    "nfr": "NAME AGENT PHASE BASELINE CANDIDATE GAIN SUCCEEDED AGE",
}


def test_kubectl_prints_a_table_of_each_kind_and_of_the_whole_category(
    installed: ControlPlane, kubectl: Kubectl, manifest: Make
) -> None:
    for kind in ("TraceBackend", "Agent", "OptimizationPolicy", "OptimizationRun"):
        kubectl("create", "--filename=-", stdin=manifest(kind))
    assert [line.split()[0] for line in kubectl("get", "ninefold", "--no-headers").stdout.splitlines() if line] == [
        "agent.ninefold.dev/support",
        "optimizationpolicy.ninefold.dev/support",
        "optimizationrun.ninefold.dev/support-1",
        "tracebackend.ninefold.dev/traces",
    ]
    for short, columns in COLUMNS.items():
        assert kubectl("get", short).stdout.splitlines()[0].split() == columns.split()
