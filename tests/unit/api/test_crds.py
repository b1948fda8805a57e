"""`crds/` is what the models say, and every schema is one that the API server can bound."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ninefold.api import crds
from ninefold.api.policy import OptimizationPolicySpec, Trigger
from ninefold.api.structural import structural

ROOT = Path(__file__).parents[3]


def schema(kind: crds.Kind) -> dict[str, Any]:
    root: dict[str, Any] = crds.crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


ALL = [(path, node) for kind in crds.KINDS for path, node in nodes(schema(kind), kind.kind)]
BOUND = {"string": "maxLength", "array": "maxItems"}


@pytest.mark.parametrize("folder", ["crds", "charts/ninefold/files/crds"])
def test_the_folders_hold_what_the_models_say(folder: str) -> None:
    assert crds.drift(ROOT / folder) == [], "run `make crds`"


def test_the_same_models_give_the_same_bytes() -> None:
    assert crds.rendered() == crds.rendered()


def test_drift_names_what_is_missing_changed_and_left_over(tmp_path: Path) -> None:
    crds.main([str(tmp_path)])
    assert crds.main([str(tmp_path), "--check"]) == 0
    (tmp_path / "ninefold.dev_agents.yaml").write_text("changed")
    (tmp_path / "ninefold.dev_tracebackends.yaml").unlink()
    (tmp_path / "other.yaml").write_text("left over")
    assert crds.drift(tmp_path) == [
        f"{tmp_path}/ninefold.dev_tracebackends.yaml is missing",
        f"{tmp_path}/other.yaml belongs to no kind",
        f"{tmp_path}/ninefold.dev_agents.yaml is not what the models say",
    ]
    assert crds.main([str(tmp_path), "--check"]) == 1


def test_every_string_list_and_map_is_bounded() -> None:
    unbounded = [
        path
        for path, node in ALL
        if ((bound := BOUND.get(node.get("type", ""))) and bound not in node and "enum" not in node)
        or ("additionalProperties" in node and "maxProperties" not in node)
        or ("x-kubernetes-int-or-string" in node and "maxLength" not in node)
    ]
    assert unbounded == []


def test_every_field_is_described() -> None:
    silent = [path for path, node in ALL if not node.get("description") and not path.endswith(("[]", ".metadata"))]
    assert silent == []


def test_a_list_of_named_things_is_a_map_so_that_appliers_merge_by_name() -> None:
    lists = {path: node.get("x-kubernetes-list-map-keys") for path, node in ALL if node.get("type") == "array"}
    assert lists["Agent.spec.components"] == ["name"]
    assert lists["OptimizationRun.status.stages"] == ["name"]
    assert [keys for path, keys in lists.items() if path.endswith(".status.conditions")] == [["type"]] * 4


def test_no_text_of_a_spec_is_refused_with_a_regular_expression() -> None:
    assert [path for path, node in ALL if ".spec" in path and "pattern" in node] == []


def test_every_rule_has_a_sentence() -> None:
    rules = [(path, rule) for path, node in ALL for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 40
    assert [path for path, rule in rules if not rule.get("message") or "\n" in rule["message"]] == []


def test_a_status_has_no_defaults_because_what_is_written_is_compared_with_what_is_there() -> None:
    assert [path for path, node in ALL if ".status" in path and "default" in node] == []


def test_an_empty_policy_shows_the_defaults_that_hold() -> None:
    defaults = schema(crds.KINDS[2])["properties"]["spec"]["properties"]
    assert defaults["gate"]["default"] == {}
    assert defaults["gate"]["properties"]["alpha"]["default"] == 0.05
    assert defaults["proposals"]["properties"]["kinds"]["default"] == ["Refine", "InjectContext", "Tool", "Fallback"]
    assert "default" not in defaults["agentRef"]


def test_a_schema_that_has_no_structural_form_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ValueError, match="union of several types"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]})
    with pytest.raises(ValueError, match="no rule for const"):
        structural({"const": 1})


def test_a_whole_number_is_a_quantity_too() -> None:
    policy = OptimizationPolicySpec.model_validate(
        {"agentRef": {"name": "a"}, "jobs": {"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}}
    )
    assert policy.jobs.resources.limits == {"cpu": "1", "memory": "1Gi"}


def test_a_trigger_of_four_fields_is_refused_by_the_model_as_well() -> None:
    with pytest.raises(ValueError, match="schedule"):
        Trigger.model_validate({"schedule": "0 3 * *"})
