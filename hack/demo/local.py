"""The demo on this machine alone: a local cluster, the agent as a process, its traces in a directory."""

import http.client
import sys
from collections.abc import Mapping
from pathlib import Path

from demo.agent import record
from harness.local import LocalCluster
from testbed.processes import free_port


class LocalPlace:
    """`trace_directory` is a path of the node, and `url` what its pods can reach: both are this machine's own here."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._port = free_port()
        self.kubectl = cluster.kubectl
        self.trace_directory: Path = cluster.directory / "traces"
        self.url = f"http://127.0.0.1:{self._port}/replay"

    def start_agent(self) -> None:
        daemon = self._cluster.start("agent", [sys.executable, "-m", "demo.agent", "serve", f"--port={self._port}"])
        daemon.wait_until(self._answers, seconds=20)

    def record(self, components: Mapping[str, str], seed: int, now: float) -> tuple[int, float]:
        """Number of traces that the agent left, and the share of right answers."""
        self.trace_directory.mkdir(exist_ok=True)
        return record(self._port, components, self.trace_directory / "traces.jsonl", seed, now)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/v1/models")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
