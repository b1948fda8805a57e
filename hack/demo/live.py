"""After the promotion: customers that no stage has seen, under the old prompts and under those that pods now mount."""

import json
import random
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from demo.agent import traffic
from demo.telemetry import SCORE
from demo.world import ask

Render = Callable[[Mapping[str, object]], Mapping[str, str]]
CUSTOMERS = 200


def fresh_cases(seed: int) -> list[dict[str, Any]]:
    """Sessions of another fortnight: other tasks in part, other draws in all."""
    asked = random.Random(seed).sample(traffic(seed), CUSTOMERS)
    return [
        {"case_id": f"live-{n}", "input": ask(task, phrasing), "metadata": {"app.tenant": shop}, "seed": seed + n}
        for n, (shop, task, phrasing) in enumerate(asked)
    ]


def success(url: str, cases: list[dict[str, Any]], render: Render) -> float:
    """Share of right answers when every case is rendered for its own metadata."""

    def score(case: dict[str, Any]) -> float:
        body = json.dumps(case | {"components": dict(render(case["metadata"]))}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return float(json.load(answer)["scores"][SCORE])

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(score, cases)) / len(cases)
