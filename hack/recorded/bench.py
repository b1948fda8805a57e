"""One seed from its traces to its figures, in a namespace of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.follow import NotClosed, Say, conditions, follow_run
from harness.kubectl import Kubectl, Manifest
from harness.local import LocalCluster
from harness.prompts import mounted
from ninefold.client import render
from ninefold.versions import from_configmap
from recorded.agent import RecordedAgent, ReplayEndpoint
from recorded.edits import worth
from recorded.score import Figures, figures, play_all
from testbed.ports import free_port

MANIFESTS = Path(__file__).with_name("manifests.yaml")


class Bench:
    """The recorded agent beside a running cluster. `kinds`: the only kinds of edits that may be proposed, if any."""

    def __init__(self, cluster: LocalCluster, agent: RecordedAgent, kinds: list[str], seconds: float, say: Say) -> None:
        self._cluster = cluster
        self._agent = agent
        self._kinds = kinds
        self._seconds = seconds
        self._say = say
        self._port = free_port()
        self._endpoint = ReplayEndpoint(self._port)
        server = cluster.start("recorded-agent", agent.command("serve", f"--port={self._port}"))
        server.wait_until(self._endpoint.alive, seconds=60)

    def run(self, seed: int) -> tuple[Figures, Manifest]:
        """Run the loop on one split and score what it promoted; the figures and the run.

        Raises NotClosed when nothing was promoted.
        """
        kubectl = self._cluster.kubectl.within(f"recorded-{seed}")
        kubectl.run("create", "namespace", kubectl.namespace)
        traces = self._cluster.directory / f"traces-{seed}"
        prompt = self._agent.export_train(seed, traces)
        manifests = self._manifests(traces, prompt)
        kubectl.apply(manifests.values())
        run = follow_run(kubectl, lambda line: self._say(f"seed {seed}: {line}"), self._seconds)
        verdict = conditions(run).get("Succeeded", {})
        if verdict.get("status") != "True":
            raise NotClosed(f"nothing was promoted: {verdict.get('reason')}: {verdict.get('message')}")
        return self._score(seed, kubectl, manifests["Agent"], run), run

    def _score(self, seed: int, kubectl: Kubectl, agent: Manifest, run: Manifest) -> Figures:
        config_map = agent["spec"]["delivery"]["configMap"]
        prompts = mounted(kubectl, config_map, self._cluster.directory / f"mounted-{seed}")
        baseline = {one["name"]: one["text"] for one in agent["spec"]["components"]}
        cases = self._agent.test_cases(seed)
        self._say(f"seed {seed}: scoring {prompts.version} on {len(cases)} questions that no stage has seen")

        def blind(metadata: Mapping[str, object]) -> dict[str, str]:
            return render(baseline, [], metadata)

        promoted = play_all(cases, self._endpoint, lambda metadata: prompts.render(metadata).components)
        served = from_configmap(kubectl.get("configmap", f"{agent['metadata']['name']}-{prompts.version}"))
        found = worth(baseline, served.content.edits, cases, self._endpoint, promoted)
        for one in found:
            self._say(f"seed {seed}: {json.dumps(one.as_dict())}")
        return figures(
            seed,
            blind=play_all(cases, self._endpoint, blind),
            promoted=promoted,
            calls=run["status"].get("figures", {}).get("replayCalls", 0),
            edits=len(found),
            edits_within=sum(one.kept_its_word for one in found),
        )

    def _manifests(self, traces: Path, prompt: str) -> dict[str, Manifest]:
        """The user's three objects by kind, with the places of this run filled in."""
        found: dict[str, Any] = {one["kind"]: one for one in yaml.safe_load_all(MANIFESTS.read_text())}
        found["TraceBackend"]["spec"]["otlp"]["volume"]["hostPath"]["path"] = str(traces)
        found["Agent"]["spec"]["components"][0]["text"] = prompt
        found["Agent"]["spec"]["replay"]["endpoint"]["url"] = f"http://127.0.0.1:{self._port}/replay"
        if self._kinds:
            found["OptimizationPolicy"]["spec"]["proposals"] = {"kinds": self._kinds}
        return found
