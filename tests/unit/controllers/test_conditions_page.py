"""docs/conditions.md knows every reason that the code can give."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from ninefold.versions import errors
from ninefold.versions.serve import Reason

ROOT = Path(__file__).parents[3]
CODE = ROOT / "operator" / "ninefold"
TELLING = {"ready", "reconciling", "stalled", "_stalled", "true", "false", "end", "fail", "Verdict", "_not_improved"}
"""Functions of the controllers and the gate that take a reason."""
FAILING = {"JobFailure", "TracesProblem", "PromptProblem", "ReplayFailure", "JobError", "Refused", "_blame"}
"""How Jobs, and those who read what Jobs left, say what went wrong."""
CAMEL = re.compile(r"[A-Z][a-z]+([A-Z]?[a-z]+)*")
TYPES_AND_STATUS = {"True", "False", "Unknown"}


def calls(folder: str) -> Iterator[ast.Call]:
    for path in sorted((CODE / folder).rglob("*.py")):
        yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def words(call: ast.Call) -> set[str]:
    """CamelCase words among the call's own arguments."""
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "reason")]
    texts = {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if CAMEL.fullmatch(text)} - TYPES_AND_STATUS


def reasons() -> set[str]:
    told = {
        word
        for folder in ("controllers", "gate")
        for call in calls(folder)
        if name_of(call) in TELLING
        for word in words(call)
    }
    failed = {
        word
        for folder in ("controllers", "delivery", "jobs", "traces", "replay", "analysis", "proposals")
        for call in calls(folder)
        if name_of(call) in FAILING
        for word in words(call)
    }
    versions = {error.reason for error in vars(errors).values() if isinstance(error, type) and hasattr(error, "reason")}
    return told | failed | (versions - {errors.VersionError.reason}) | set(get_args(Reason))


PAGE = set(re.findall(r"`([A-Za-z]+)`", (ROOT / "docs" / "conditions.md").read_text()))


def test_the_search_for_reasons_finds_some_of_every_room():
    assert {"Queued", "Silent", "NoFiles", "PinUnknown", "PromptTooLarge", "ArtifactForged"} <= reasons()


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_stands_on_the_page(reason):
    assert reason in PAGE
