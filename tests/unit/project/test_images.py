"""Each image holds what its half of the code imports: every module of its rooms, with the packages of its lock."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
NINEFOLD = ROOT / "operator" / "ninefold"
ROOMS = {
    "operator": ("api", "controllers", "gate", "kube", "process", "store", "versions"),
    "jobs": (
        "analysis",
        "api",
        "client",
        "delivery",
        "gate",
        "graders",
        "jobs",
        "judges",
        "llm",
        "proposals",
        "replay",
        "store",
        "traces",
    ),
}
DEVELOPERS_ONLY = NINEFOLD / "api" / "crds.py"
"""It writes YAML, on the machine of whoever changes a model."""

OWNERS = packages_distributions()


def imported(path: Path) -> Iterator[str]:
    """Top-level names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def locked(image: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{image}.txt").read_text().splitlines()
    return {canonicalize_name(line.partition("==")[0].partition("[")[0]) for line in lines if "==" in line}


@pytest.mark.parametrize("image", ROOMS)
def test_an_image_holds_every_package_that_its_rooms_import(image: str) -> None:
    files = [path for room in ROOMS[image] for path in (NINEFOLD / room).rglob("*.py") if path != DEVELOPERS_ONLY]
    names = {name for path in [*files, *NINEFOLD.glob("*.py")] for name in imported(path)}
    foreign = names - set(sys.stdlib_module_names) - {"ninefold"}
    missing = {name for name in foreign if not {canonicalize_name(o) for o in OWNERS[name]} & locked(image)}
    assert missing == set(), f"add it to the extra {image} of pyproject.toml, then `make lock`"


def test_every_room_is_in_an_image_or_on_a_users_machine() -> None:
    rooms = {path.name for path in NINEFOLD.iterdir() if (path / "__init__.py").exists()}
    assert rooms - {"cli"} == {room for image in ROOMS.values() for room in image}
