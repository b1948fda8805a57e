"""What `docs/backends/langfuse.md` shows is so."""

import re

import pytest
import yaml

from ninefold.api.tracebackend import TraceBackendSpec
from testbed.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "backends" / "langfuse.md").read_text()
SOURCES = [*(REPOSITORY / "operator" / "ninefold").rglob("*.py")]


@pytest.mark.parametrize("block", [b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "kind: Agent" not in b])
def test_its_manifests_are_what_the_schema_takes(block: str) -> None:
    source = TraceBackendSpec.model_validate(yaml.safe_load(block)["spec"]).langfuse
    assert source is not None
    assert (source.host is None) != (source.export is None)


def test_its_reasons_are_those_of_the_code() -> None:
    table = PAGE.split("## When it is not Ready")[1]
    named = {reason for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for reason in re.findall(r"`(\w+)`", row)}
    code = "".join(path.read_text() for path in SOURCES)
    assert len(named) >= 12
    assert {reason for reason in named if f'"{reason}"' not in code} == set()


def test_its_losses_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in SOURCES if "langfuse" in path.parts)
    for loss in ("uncommitted_files", "duplicate_observations", "internal_traces", "oversized_rows"):
        assert f"`{loss}`" in PAGE
        assert f'"{loss}"' in code
