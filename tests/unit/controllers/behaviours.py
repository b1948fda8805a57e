"""What simulated Jobs do: a loop that finds a pattern, proposes an edit for it and proves it."""

import json
from typing import Any

from builders import a_pattern, a_replay, a_report, an_edit, replay_rows
from unit.controllers.simulated import SimulatedCluster
from unit.controllers.simulated_jobs import Result

from ninefold.api import delivery, prompts
from ninefold.api.artifacts import JobError, ProbeReport, ReadReport, sha256
from ninefold.api.candidates import Candidate, ProposalSet
from ninefold.api.cases import CaseSet
from ninefold.api.findings import CaseRef
from ninefold.api.tracebackend import Capabilities
from ninefold.controllers.actions import Manifest

EDIT = an_edit("List the rooms before you name one.", kind="Refine")
FOUND = Capabilities(files=2, bytes=1000, traces=520, agents=["support"], scores=["solved"])


def candidate(identity: str = "c1", edit: Any = EDIT) -> Candidate:
    return Candidate(id=identity, edits=[edit], summary="look first", predicted_gain=0.1, proposer="deterministic")


class Jobs:
    """A behaviour whose stages can be replaced one by one: `Jobs(propose=...)`.

    A replacement is a result, or a function of the environment; `calls` counts the Jobs by stage.
    """

    def __init__(self, **instead: Any) -> None:
        self.instead = {name.replace("_", "-"): value for name, value in instead.items()}
        self.calls: dict[str, int] = {}

    def __call__(self, cluster: SimulatedCluster, job: Manifest, env: dict[str, str]) -> Result:
        stage = job["metadata"]["labels"]["ninefold.dev/job-stage"]
        self.calls[stage] = self.calls.get(stage, 0) + 1
        for needed in _upstream(env):
            if needed not in cluster.redis:
                return JobError(reason="ArtifactLost", message=f"{needed} is gone", permanent=False)
        if stage in self.instead:
            found = self.instead[stage]
            return found(cluster, job, env) if callable(found) else found
        return getattr(self, stage.replace("-", "_"))(cluster, env)

    def probe(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return ProbeReport(capabilities=FOUND)

    def read(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return ReadReport(shard=0, slices=1, read=1, traces=520)

    def analyze(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return analysis(cluster, env)

    def propose(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return ProposalSet(candidates=[candidate()])

    def replay_selection(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        rows = replay_rows(wins=20, losses=2, both=40)
        return a_replay(rows, "selection", winner="c1", why="c1 leads by +29.0 pp", calls_paid=180)

    def deliver(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return delivery.DeliveryReport(prompts=[prompts.DeliveredPrompt(name="system", version=1)], written=1, moved=0)

    def replay_sealed(self, cluster: SimulatedCluster, env: dict[str, str]) -> Result:
        return a_replay(replay_rows(wins=60, losses=4, both=60), calls_paid=370)


def analysis(cluster: SimulatedCluster, env: dict[str, str], patterns: int = 1, sealed: int = 120) -> Result:
    """A report, and the cases of both held-out buckets in artifacts of their own."""
    cases = []
    for bucket, count in (("selection", 60), ("sealed", sealed)):
        data = CaseSet(bucket=bucket, cases=[]).to_bytes()
        key = f"{env['NINEFOLD_ARTIFACT']}:{bucket}"
        cluster.redis[key] = data
        cases.append(CaseRef(artifact=key, sha256=sha256(data), bytes=len(data), bucket=bucket, cases=count))
    report = a_report(*(a_pattern(f"p-{n}") for n in range(patterns)))
    return report.model_copy(update={"cases": cases})


def _upstream(env: dict[str, str]) -> list[str]:
    return [ref["artifact"] for ref in json.loads(env.get("NINEFOLD_UPSTREAM", "{}")).values()]
