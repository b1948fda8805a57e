"""What README, docs and examples show is true of the models: manifests, patches and links."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ninefold.api import crds
from ninefold.cli.verbs import app
from ninefold.process.metrics import Metrics

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
KINDS = {kind.kind: kind for kind in crds.KINDS}
NAMES = {name for kind in crds.KINDS for name in (kind.plural, kind.short)}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATCH = re.compile(r"kubectl\b[^\n]*\bpatch (\S+)[^\n]*?(?:-p|--patch)[ =]'([^']+)'")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def blocks(page: Path, language: str) -> list[str]:
    return [text for named, text in FENCE.findall(page.read_text()) if named == language]


def manifests() -> Iterator[Any]:
    """Every manifest of ours in an example or a page."""
    sources = [(path, path.read_text()) for path in EXAMPLES]
    sources += [(page, block) for page in PAGES for block in blocks(page, "yaml")]
    for path, text in sources:
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and str(document.get("apiVersion", "")).startswith(crds.GROUP):
                name = f"{path.relative_to(ROOT)}: {document['kind']} {document['metadata']['name']}"
                yield pytest.param(document, id=name)


def unknown(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """Paths in a value that its schema does not have."""
    if isinstance(value, list):
        return [line for child in value for line in unknown(child, schema.get("items", {}), f"{path}[]")]
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    known, rest = schema.get("properties", {}), schema.get("additionalProperties")
    lines = []
    for key, child in value.items():
        below = known.get(key, rest)
        lines += [f"{path}.{key}"] if below is None else unknown(child, below, f"{path}.{key}")
    return lines


@pytest.mark.parametrize("manifest", list(manifests()))
def test_every_manifest_is_one_that_the_models_read(manifest: dict[str, Any]) -> None:
    kind = KINDS[manifest["kind"]]
    kind.spec.model_validate(manifest["spec"])
    assert unknown(manifest["spec"], crds.schema_of(kind.spec), "spec") == []
    assert len(manifest["metadata"]["name"]) <= 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_yaml_parses(page: Path) -> None:
    for block in blocks(page, "yaml"):
        assert [document for document in yaml.safe_load_all(block) if document] != []


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES], ids=lambda path: path.name)
def test_every_patch_is_one_of_a_field_that_is_there(path: Path) -> None:
    by_name = {name: kind for kind in crds.KINDS for name in (kind.short, kind.kind.lower(), kind.plural)}
    for name, text in PATCH.findall(path.read_text()):
        patch = json.loads(text)
        assert patch.keys() == {"spec"}
        assert unknown(patch["spec"], crds.schema_of(by_name[name.split("/")[0]].spec), "spec") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_there(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_a_field_that_is_not_there_would_be_found() -> None:
    schema = crds.schema_of(KINDS["Agent"].spec)
    assert unknown({"model": {"name": "m", "temperature": 1}}, schema, "spec") == ["spec.model.temperature"]
    assert unknown({"edits": [{"when": {"any": "key"}}]}, schema, "spec") == []


METRIC = re.compile(r"`(ninefold_[a-z_]+)`")
VERB = re.compile(r"(?:^|\| )(?:kubectl )?ninefold ([a-z]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_page_names_is_one_that_is_served(page: Path) -> None:
    metrics = Metrics()
    metrics.watch_agents(list)
    served = set(re.findall(r"^# TYPE (\S+)", metrics.text().decode(), re.MULTILINE))
    assert set(METRIC.findall(page.read_text())) - served == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_there(page: Path) -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    shown = {verb for block in blocks(page, "") + blocks(page, "sh") for verb in VERB.findall(block)}
    assert shown - known == set()
