"""The demo's course: an agent and its traces, three manifests, one run followed to its end."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import yaml

from harness.follow import NotClosed, Say, conditions, follow_run
from harness.kubectl import Kubectl, Manifest

MANIFESTS = Path(__file__).with_name("manifests")
NAMESPACE = "shop"


class Place(Protocol):
    """Where the demo plays: this machine, or a cluster."""

    kubectl: Kubectl
    trace_directory: Path
    """Directory of the node that holds the traces."""
    url: str
    """The agent's replay endpoint, as a pod reaches it."""

    def start_agent(self, components: Mapping[str, str]) -> dict[str, float]:
        """Start the stand-in agent and let it answer customers for a fortnight, under these prompts.

        Returns how many `traces` it left, and which share of its answers was `right`.
        """
        ...

    def reach(self) -> AbstractContextManager[str]:
        """The agent's replay endpoint, as this process reaches it."""
        ...


def manifests(place: Place) -> list[Manifest]:
    """The three objects of `manifests/`, with the two places that differ from machine to machine filled in."""
    found: dict[str, Any] = {}
    for path in sorted(MANIFESTS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        found[document["kind"]] = document
    found["Agent"]["spec"]["replay"]["endpoint"]["url"] = place.url
    found["TraceBackend"]["spec"]["otlp"]["volume"]["hostPath"]["path"] = str(place.trace_directory)
    return [found[kind] for kind in ("TraceBackend", "Agent", "OptimizationPolicy")]


def components(agent: Manifest) -> dict[str, str]:
    """The prompt texts of an Agent manifest, by name."""
    return {one["name"]: one["text"] for one in agent["spec"]["components"]}


def close_the_loop(place: Place, say: Say, seconds: float) -> tuple[Kubectl, Manifest]:
    """Play the demo; returns kubectl in its namespace and the run that promoted a version.

    Raises NotClosed, with the last condition, when the run did not promote within `seconds`.
    """
    kubectl = place.kubectl.within(NAMESPACE)
    place.kubectl.run("create", "namespace", NAMESPACE)
    backend, agent, policy = manifests(place)
    say("starting the stand-in agent, and letting it answer customers for a fortnight")
    done = place.start_agent(components(agent))
    say(f"the agent has left {done['traces']:.0f} traces; {done['right']:.1%} of its answers were right")
    say("applying TraceBackend, Agent and OptimizationPolicy")
    kubectl.apply([backend, agent, policy])
    run = follow_run(kubectl, say, seconds)
    verdict = conditions(run).get("Succeeded", {})
    if verdict.get("status") != "True":
        raise NotClosed(f"the run ended without a promotion: {verdict.get('reason')}: {verdict.get('message')}")
    return kubectl, run
