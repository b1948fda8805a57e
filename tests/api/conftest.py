"""What the tests against the real API server share: manifests made from the tables."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]
VALID: dict[str, Manifest] = {
    manifest["kind"]: manifest for manifest in yaml.safe_load_all((Path(__file__).parent / "valid.yaml").read_text())
}


@pytest.fixture
def manifest() -> Callable[..., str]:
    """`manifest(kind, changes...)`: the valid manifest of a kind with values set at paths, as JSON."""

    def made(kind: str, *changes: Manifest | None) -> str:
        return json.dumps(changed(VALID[kind], *changes))

    return made


def changed(valid: Manifest, *changes: Manifest | None) -> Manifest:
    """A copy with the value at every path set, or taken away where it is None."""
    manifest = copy.deepcopy(valid)
    for path, value in [item for change in changes for item in (change or {}).items()]:
        *folders, last = path.split(".")
        place = manifest
        for folder in folders:
            place = place.setdefault(folder, {})
        if value is None:
            del place[last]
        else:
            place[last] = _spelled_out(value)
    return manifest


def _spelled_out(value: Any) -> Any:
    """`{repeat: n}` is a text of n characters, which nobody wants to read in a table."""
    if isinstance(value, dict):
        if value.keys() == {"repeat"}:
            return "x" * value["repeat"]
        return {key: _spelled_out(child) for key, child in value.items()}
    return [_spelled_out(child) for child in value] if isinstance(value, list) else value
