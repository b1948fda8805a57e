"""The operator as a child process of a test, and waiting by reading."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.paths import REPOSITORY
from testbed.ports import free_port
from testbed.processes import Daemon, environment_for_tools

PATIENCE = 120.0
"""Seconds for what takes one or two on a machine that is not busy."""
POLL = 0.1


class OperatorProcess:
    """`python -m ninefold.process` with what the chart would set; `start` and `kill` may alternate."""

    def __init__(self, kubeconfig: Path, redis_url: str, namespace: str, log: Path, **environment: str) -> None:
        self._health, self._metrics = free_port(), free_port()
        self._daemon = Daemon(
            "operator",
            [sys.executable, "-m", "ninefold.process"],
            log,
            environment_for_tools()
            | {
                "PYTHONPATH": str(REPOSITORY / "operator"),
                "KUBECONFIG": str(kubeconfig),
                "NINEFOLD_REDIS_URL": redis_url,
                "NINEFOLD_JOB_REDIS_URL": redis_url,
                "NINEFOLD_JOB_IMAGE": "scripted-jobs",
                "NINEFOLD_WATCH_NAMESPACES": namespace,
                "NINEFOLD_LEASE_NAMESPACE": namespace,
                "NINEFOLD_HEALTH_PORT": str(self._health),
                "NINEFOLD_METRICS_PORT": str(self._metrics),
                "NINEFOLD_ALLOW_HOST_PATH": "true",
            }
            | environment,
        )
        self.log = log

    def start(self, until: str = "leading") -> None:
        """Start, and wait until `/readyz` says `until`."""
        self._daemon.start()
        self._daemon.wait_until(lambda: self.probe("readyz") == until, PATIENCE)

    def launch(self) -> None:
        """Start without waiting."""
        self._daemon.start()

    def kill(self) -> None:
        """SIGKILL, as when a node fails."""
        self._daemon.kill()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self._daemon.stop(grace=30)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait until the process has ended by itself; returns its exit code."""
        process = self._daemon._process
        assert process is not None
        return process.wait(PATIENCE)

    @property
    def alive(self) -> bool:
        return self._daemon.alive

    def probe(self, path: str) -> str:
        """What `/healthz` or `/readyz` says; empty while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def messages(self) -> list[dict[str, Any]]:
        """The log so far, parsed."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def eventually(seen: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Poll until `seen()` is true, and return it. The API server is the only witness, and it cannot be awaited here."""
    deadline = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(POLL)
    return found
