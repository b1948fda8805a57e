"""Traces of the demo's world, and what real servers answered when they were given them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from demo import standin, telemetry
from demo.agent import traffic
from demo.episode import run
from demo.world import ask

COMPONENTS = {"system": "You answer questions about a shop's stock and shipping with its tools."}
BEGIN = 1_790_000_000.0


class Offline:
    """The demo's model, without its server."""

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return standin.complete(dict(request))


def demo_lines(count: int) -> list[str]:
    """OTLP-JSON lines of the demo's agent at work, always the same."""
    lines = []
    for number, (shop, task, phrasing) in enumerate(traffic(0)[:count]):
        episode = run(Offline(), shop, ask(task, phrasing), COMPONENTS, number)  # type: ignore[arg-type]
        key = f"{shop}/{task.kind}/{task.noun}/{task.colour}/{task.place}"
        lines.append(json.dumps(telemetry.trace(episode, number, key, BEGIN + number * 60)))
    return lines


@pytest.fixture(scope="session")
def sent() -> list[str]:
    return demo_lines(4)
