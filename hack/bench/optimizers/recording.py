"""A recorded agent as an environment: its traces as OTLP files, its replay endpoint behind the same ledger.

Where the recordings are is given by a flag and known nowhere else; how the agent is started and asked is
`hack/recorded`'s. The same prompt twice gives the same answer, so one run of each unseen case measures it. Only the
traces of the agent's own prompt exist, so our loop has one cycle here.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import recorded
from bench.optimizers.environment import Call, Run
from bench.optimizers.reflection import Writer
from ninefold.analysis import Analysis, analyze
from ninefold.api.inputs import RunInputs, VersionContent
from ninefold.traces import Window, collect, open_backend
from recorded.agent import Case, RecordedAgent, ReplayEndpoint
from recorded.score import INVENTED
from testbed.ports import free_port
from testbed.processes import Daemon

MANIFESTS = Path(recorded.__file__).with_name("manifests.yaml")
RECORDED = Writer(
    answers={
        INVENTED.pattern: "Before the first statement, run SHOW TABLES and DESC.",
        r"error in your SQL syntax": "Write one plain statement at a time.",
    },
    useless=("Be polite and precise.", "Read the question carefully.", "Think step by step."),
    harmful=("Work quickly and use as few calls as possible.",),
    looked_up=INVENTED.pattern,
    names=re.compile(r"\[(\('\w+'(?:, *[^()]*)?\)(?:, *\('\w+'[^()]*\))*)\]"),
    listed="Names to use are {}.",
)
Play = Callable[[Case, Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """One recorded case. `region` is its stratum by the policy's intent key; `same`: the Agent's key of the task."""

    case: Case
    region: str
    same: str

    @property
    def key(self) -> str:
        return str(self.case["metadata"]["app.task"])

    @property
    def cluster(self) -> str:
        return str(self.case["metadata"][self.same])

    @property
    def question(self) -> str:
        return str(self.case["input"])


@dataclass
class Replays:
    """The ledger: cases asked of the replay endpoint."""

    play: Play
    score: str
    calls: int = 0

    def run(self, task: Question, components: dict[str, str]) -> Run:
        """Ask for one case, and book it."""
        self.calls += 1
        answer = self.play(task.case, components)
        solved = answer["scores"][self.score] == 1
        calls = tuple(Call(s["name"], s["input"], s["output"], s["status"] == "ok") for s in answer["steps"])
        said = "done" if solved else "the last result does not answer the question"
        used = answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
        return Run(task, calls, solved, said, str(answer["output"]), used)


class Recording:
    """One split of the recorded agent (see `environment.Environment`), while its endpoint is served."""

    writer = RECORDED
    repeats = 1

    def __init__(self, agent: RecordedAgent, seed: int, play: Play, directory: Path) -> None:
        self._agent, self._seed, self._play, self._traces = agent, seed, play, directory
        self._prompt = agent.export_train(seed, directory)
        self.baseline = VersionContent(components={"system": self._prompt})
        self.seen, self.unseen = self._questions("train"), self._questions("test")

    def ledger(self, name: str) -> Replays:
        return Replays(self._play, str(self.inputs().agent.success.score))

    def inputs(self) -> RunInputs:
        found = {one["kind"]: one["spec"] for one in yaml.safe_load_all(MANIFESTS.read_text())}
        found["Agent"]["components"][0]["text"] = self._prompt
        now = datetime.now(UTC)
        return RunInputs.model_validate(
            {
                "run": "bench",
                "runUid": "bench",
                "namespace": "bench",
                "agentName": "recorded",
                "agentUid": "recorded",
                "agent": found["Agent"],
                "policy": found["OptimizationPolicy"],
                "backend": found["TraceBackend"],
                "baseline": self.baseline.wire(),
                "windowStart": (now - timedelta(days=7)).isoformat(),
                "windowEnd": (now + timedelta(days=1)).isoformat(),
            }
        )

    def analysed(self, stable: VersionContent, cycle: int) -> Analysis:
        """The traces of the agent's own prompt. Raises ValueError for any other version, of which there are none."""
        if stable != self.baseline:
            raise ValueError("a recorded agent has traces of its own prompt alone: run one cycle")
        return self._analysis

    @cached_property
    def _analysis(self) -> Analysis:
        given = self.inputs()
        backend = open_backend(given.backend, self._traces)
        return analyze(collect(backend, Window.of(given.window_start, given.window_end), given.agent), given)

    def reachable(self) -> float:
        """The best line that the agent's own `ceiling` prints for this split."""
        return ceiling(self._told("ceiling"))

    def _questions(self, split: str) -> list[Question]:
        cases = [json.loads(line) for line in self._told("cases", f"--split={split}").splitlines()]
        given = self.inputs()
        key, same = str(given.policy.analysis.intent_key), str(given.agent.traces.task_key)
        return [Question(case, str(case["metadata"][key]), same) for case in cases]

    def _told(self, verb: str, *arguments: str) -> str:
        command = self._agent.command(verb, f"--seed={self._seed}", *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ceiling(told: str) -> float:
    """The largest share among lines that hold `solved N of M`."""
    return max(int(solved) / int(cases) for solved, cases in re.findall(r"solved +(\d+) of (\d+)", told))


@contextmanager
def served(agent: RecordedAgent, directory: Path) -> Iterator[Play]:
    """The agent's replay endpoint, on a free port, until the block ends.

    Every call has a connection of its own: on a kept one, answers in two packets wait 40 ms for a delayed ACK.
    """
    port = free_port()
    endpoint = ReplayEndpoint(port)

    def play(case: Case, components: Mapping[str, str]) -> dict[str, Any]:
        return ReplayEndpoint(port)(case, components)

    server = Daemon("recorded-agent", agent.command("serve", f"--port={port}"), directory / "serve.log")
    server.start()
    try:
        server.wait_until(endpoint.alive, seconds=60)
        yield play
    finally:
        server.stop()
