"""Expansion of `$(VAR)`, quantities and downward-API fields, as kubelet has them."""

from typing import Any

import pytest

from testbed.localnode.environment import expand, pod_field, quantity, resource_field

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "labels": {"app": "x", "ninefold.dev/agent": "shop"},
    },
    "spec": {"containers": [], "nodeName": "local-node"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B.C)", "x1y2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("", ""),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B.C": "2"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2), ("500m", 0.5), ("1k", 1e3), ("1Ki", 1024), ("1.5Gi", 1.5 * 2**30), ("3G", 3e9)],
)
def test_quantity(text: str, expected: float) -> None:
    assert quantity(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.labels['ninefold.dev/agent']", "shop"),
        ("metadata.labels['absent']", ""),
        ("metadata.labels", 'app="x"\nninefold.dev/agent="shop"'),
        ("spec.nodeName", "local-node"),
        ("status.podIP", "127.0.0.1"),
        ("status.phase", ""),
    ],
)
def test_pod_field(path: str, expected: str) -> None:
    assert pod_field(POD, path) == expected


def test_a_missing_limit_falls_to_the_request_and_rounds_up() -> None:
    container = {"resources": {"requests": {"memory": "1500Ki", "cpu": "250m"}}}
    assert resource_field(POD, container, {"resource": "limits.memory", "divisor": "1Mi"}) == "2"
    assert resource_field(POD, container, {"resource": "requests.cpu"}) == "1"
