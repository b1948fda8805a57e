"""What the probes and Prometheus are told."""

from typing import Any

import aiohttp
import pytest

from ninefold.api.base import API_VERSION
from ninefold.controllers.actions import Manifest
from ninefold.controllers.ports import Key
from ninefold.process.health import LAG_SECONDS, STUCK_SECONDS, Servers, Vitals, health
from ninefold.process.metrics import Metrics

KEY = Key("Agent", "ns", "a")


@pytest.mark.parametrize(
    ("vitals", "sentence"),
    [
        (Vitals(), None),
        (Vitals(oldest=(KEY, STUCK_SECONDS - 1), lag=LAG_SECONDS - 1), None),
        (Vitals(oldest=(KEY, STUCK_SECONDS + 1)), "the reconcile of Agent ns/a has been running for 301 s"),
        (Vitals(lag=LAG_SECONDS + 1), "the event loop was blocked for 16 s"),
        (Vitals(deaf="the watch has not told of 3 changes"), "the watch has not told of 3 changes"),
    ],
)
def test_health_is_a_sentence_about_what_is_wrong(vitals: Vitals, sentence: str | None) -> None:
    assert health(vitals) == sentence


@pytest.mark.parametrize(
    ("vitals", "healthz", "readyz"),
    [
        (Vitals(state="starting"), (200, "ok"), (503, "starting")),
        (Vitals(state="standby"), (200, "ok"), (200, "standby")),
        (Vitals(state="leading"), (200, "ok"), (200, "leading")),
        (Vitals(state="leading", deaf="it is deaf"), (500, "it is deaf"), (200, "leading")),
    ],
)
async def test_a_standby_is_healthy_and_ready(
    vitals: Vitals, healthz: tuple[int, str], readyz: tuple[int, str]
) -> None:
    servers = Servers(lambda: vitals, lambda: b"ninefold_leader 1.0\n")
    health_port, metrics_port = await servers.start(0, 0)
    async with aiohttp.ClientSession() as client:

        async def get(port: int, path: str) -> tuple[int, str]:
            async with client.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()

        assert await get(health_port, "/healthz") == healthz
        assert await get(health_port, "/readyz") == readyz
        assert await get(metrics_port, "/metrics") == (200, "ninefold_leader 1.0\n")
    await servers.stop()


def an_object(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "namespace": "ns",
            "name": "a",
            "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": spec,
        "status": status,
    }


def a_run(**succeeded: str) -> Manifest:
    condition = {
        "type": "Succeeded",
        "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **succeeded,
    }
    return an_object("OptimizationRun", {"policyRef": {"name": "p"}}, {"conditions": [condition] if succeeded else []})


def test_a_run_is_counted_once_when_it_ends() -> None:
    metrics = Metrics()
    going, ended = a_run(), a_run(status="False", reason="NotImproved")
    metrics.run_changed(None, going)
    metrics.run_changed(going, ended)
    metrics.run_changed(ended, ended)
    assert 'ninefold_runs_total{result="NotImproved"} 1.0' in metrics.text().decode()


LOST = {"losses": [{"name": "malformed_lines", "count": 3}]}


def test_success_and_nines_are_those_of_the_status_and_go_with_the_agent() -> None:
    success = {"traces": 100, "rate": 0.9, "low": 0.82, "high": 0.95, "nines": 0.74}
    spec = {
        "model": {"name": "m"},
        "components": [{"name": "system", "text": "t"}],
        "traces": {"backendRef": {"name": "b"}},
        "success": {"score": "s"},
        "delivery": {"configMap": "prompts"},
    }
    agents = [an_object("Agent", spec, {"stableVersion": "v1-0123456789", "success": success, **LOST})]
    metrics = Metrics()
    metrics.watch_agents(lambda: agents)
    marks = '{agent="a",namespace="ns",version="v1-0123456789"}'
    assert f"ninefold_agent_success_ratio{marks} 0.9" in metrics.text().decode()
    assert f"ninefold_agent_nines{marks} 0.74" in metrics.text().decode()
    lost = '{agent="a",loss="malformed_lines",namespace="ns"}'
    assert f"ninefold_agent_trace_losses{lost} 3.0" in metrics.text().decode()
    agents.clear()
    assert "ninefold_agent_nines{" not in metrics.text().decode()


def test_the_names_of_the_metrics_are_a_contract() -> None:
    metrics = Metrics()
    metrics.watch_agents(list)
    metrics.wrote("Agent", "status")
    text = metrics.text().decode()
    for name in (
        "ninefold_queue_depth gauge",
        "ninefold_reconcile_seconds histogram",
        "ninefold_reconcile_errors_total counter",
        "ninefold_runs_total counter",
        "ninefold_writes_total counter",
        "ninefold_leader gauge",
        "ninefold_agent_success_ratio gauge",
        "ninefold_agent_nines gauge",
        "ninefold_agent_trace_losses gauge",
    ):
        assert f"# TYPE {name}" in text
    assert 'ninefold_writes_total{kind="Agent",verb="status"} 1.0' in text
