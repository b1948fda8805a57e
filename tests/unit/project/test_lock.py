"""`requirements/` is a lock of what `pyproject.toml` asks for: `make lock` writes it."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
EVERYTHING = [*PROJECT["dependencies"], *chain(*EXTRAS.values()), *PYPROJECT["dependency-groups"]["dev"]]


def locked(name: str) -> dict[str, str]:
    """Package to version."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    pins = [line.split(" ")[0].split("==") for line in lines if "==" in line and not line.startswith((" ", "#"))]
    return {canonicalize_name(package.partition("[")[0]): version for package, version in pins}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("dev", EVERYTHING),
        ("operator", [*PROJECT["dependencies"], *EXTRAS["operator"]]),
        ("jobs", [*PROJECT["dependencies"], *EXTRAS["jobs"]]),
    ],
)
def test_the_lock_holds_what_pyproject_asks_for(name: str, wanted: list[str]) -> None:
    pins = locked(name)
    for requirement in map(Requirement, wanted):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run `make lock`"
        assert version in requirement.specifier, f"{requirement} is locked at {version}: run `make lock`"


@pytest.mark.parametrize("image", ["operator", "jobs"])
def test_an_image_has_the_versions_that_were_tested(image: str) -> None:
    tested = locked("dev")
    assert {package: version for package, version in locked(image).items() if tested.get(package) != version} == {}


def test_each_image_leaves_out_what_the_other_is_for() -> None:
    assert {"kopf", "kubernetes"} & locked("jobs").keys() == set()
    assert {"chdb", "pyarrow", "openai"} & locked("operator").keys() == set()


def test_the_lock_names_no_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text()
        assert "--find-links" not in path.read_text()
