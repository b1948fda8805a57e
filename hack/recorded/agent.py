"""The recorded agent from outside: `DATA/recorded/recorded_agent.py` exports its traces and serves its endpoint."""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Case = dict[str, Any]


class NoData(RuntimeError):
    """DATA does not hold the recordings."""


@dataclass(frozen=True)
class RecordedAgent:
    """Where the program and its recordings are."""

    program: Path
    recordings: Path

    @classmethod
    def below(cls, data: Path) -> "RecordedAgent":
        """Raises NoData when one of the two is missing."""
        agent = cls(data / "recorded" / "recorded_agent.py", data / "data" / "intercode-sql" / "gpt-3.5")
        for path in (agent.program, agent.recordings):
            if not path.exists():
                raise NoData(f"{path} is not there: DATA must name the folder that holds recorded/ and data/")
        return agent

    def command(self, verb: str, *arguments: str) -> list[str]:
        return [sys.executable, str(self.program), verb, f"--data={self.recordings}", *arguments]

    def export_train(self, seed: int, directory: Path) -> str:
        """Write the train traces of a split into the directory; returns the agent's own prompt, as they show it."""
        directory.mkdir(parents=True, exist_ok=True)
        out = directory / "traces.jsonl"
        subprocess.run(self.command("export", "--split=train", f"--seed={seed}", f"--out={out}"), check=True)
        with out.open() as lines:
            return _system_prompt(json.loads(next(lines)))

    def test_cases(self, seed: int) -> list[Case]:
        """The questions of the other half of the split: `{case_id, input, metadata}` each."""
        command = self.command("cases", "--split=test", f"--seed={seed}")
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in out.splitlines()]


def _system_prompt(request: Mapping[str, Any]) -> str:
    """The instructions on the first chat span of an ExportTraceServiceRequest."""
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for attribute in span["attributes"]:
                    if attribute["key"] == "gen_ai.system_instructions":
                        return "\n".join(part["content"] for part in json.loads(attribute["value"]["stringValue"]))
    raise NoData("the first exported trace has no gen_ai.system_instructions")


class ReplayEndpoint:
    """`POST /replay`, with one connection a thread kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def __call__(self, case: Case, components: Mapping[str, str]) -> dict[str, Any]:
        """Run one case under rendered components. Raises RuntimeError with what the endpoint says when it refuses."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = json.dumps({**case, "components": dict(components), "seed": 0})
        connection.request("POST", "/replay", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"case {case['case_id']}: the endpoint answered {answer.status}: {document}")
        return document

    def alive(self) -> bool:
        """True once the server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/")
            return bool(connection.getresponse().status == 200)
        except OSError:
            return False
        finally:
            connection.close()
