"""The demo on this machine alone: a local cluster, the agent as a process, its traces in a directory."""

import http.client
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo.agent import record
from demo.episode import Model
from harness.local import LocalCluster
from testbed.ports import free_port

HOST = "127.0.0.1"


class LocalPlace:
    """`trace_directory` is a path of the node, and `url` what its pods can reach: both are this machine's own here."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._port = free_port()
        self.kubectl = cluster.kubectl
        self.trace_directory: Path = cluster.directory / "traces"
        self.url = f"http://{HOST}:{self._port}/replay"

    def start_agent(self, components: Mapping[str, str]) -> dict[str, float]:
        """See `loop.Place`."""
        command = [sys.executable, "-m", "demo.agent", "serve", f"--port={self._port}"]
        self._cluster.start("agent", command).wait_until(self._answers, seconds=20)
        self.trace_directory.mkdir(exist_ok=True)
        return record(Model(HOST, self._port), components, self.trace_directory / "traces.jsonl", seed=0)

    @contextmanager
    def reach(self) -> Iterator[str]:
        """See `loop.Place`."""
        yield self.url

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=2)
        try:
            connection.request("GET", "/v1/models")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
