"""Background programs of a test bed: started through the shim, logged to a file, never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SHIM = [sys.executable, "-I", "-S", str(Path(__file__).with_name("shim.py"))]
"""Prefix of a command that must die with this process; `shim.py` says how."""

POLL_SECONDS = 0.05
"""Fine enough not to show in a warm start, coarse enough not to slow down what is waited for."""


class NotReadyError(RuntimeError):
    """Something did not come up within its deadline; the message ends with its last log lines."""


class Daemon:
    """One program in the background, tethered to this process.

    `start` and `stop` may alternate; the log file is appended to, so a restart keeps the history.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*SHIM, *command]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program; it is not ready yet, see `wait_until`."""
        if self.alive:
            raise RuntimeError(f"{self.name} is already running")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def stop(self, grace: float = 10.0) -> None:
        """End the program and all that it started: SIGTERM, and SIGKILL after `grace` seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        self._cut_tether()

    def kill(self) -> None:
        """SIGKILL to the program and all that it started, as a crash would."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGUSR1)
        self._process.wait()
        self._cut_tether()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Poll `ready` until it holds; fail early, with the log, if the program ends before."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise NotReadyError(f"{self.name} ended before it was ready\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def tail(self, lines: int = 15) -> str:
        """The end of the log, for error messages."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])

    def _cut_tether(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()


def environment_for_tools() -> dict[str, str]:
    """The environment without what would redirect a Kubernetes client: a test bed names its cluster."""
    return {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
