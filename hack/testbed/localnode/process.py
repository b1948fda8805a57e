"""One run of one container: a shim with the container's command below it."""

import asyncio
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from testbed.processes import SHIM

TERMINATION_MESSAGE_BYTES = 4096
FALLBACK_LINES, FALLBACK_BYTES = 80, 2048
"""kubelet's limits for a termination message, and for one taken from the end of the log."""

PID_FILE = "shim.pid"
"""In the container's directory while it runs, so that a chaos test can find the shim from outside."""


class ContainerProcess:
    """A started container. `directory` keeps its logs (`<restart>.log`) and its termination file."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._pid_file = directory / PID_FILE

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        working_directory: Path,
        directory: Path,
        restart: int,
    ) -> "ContainerProcess":
        """Start the command; the shim gives it its own session and ties it to this node's life."""
        with log_file(directory, restart).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *SHIM,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd=working_directory,
                start_new_session=True,
            )
        container = cls(process, directory)
        container._pid_file.write_text(str(process.pid))
        return container

    async def wait(self) -> int:
        """The exit code; 128 + N after signal N, also if it hit the shim before it had started."""
        code = await self._process.wait()
        self._pid_file.unlink(missing_ok=True)
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """SIGTERM to the container's first process alone, as a kubelet does."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to everything in the container."""
        self._signal(signal.SIGUSR1)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def log_file(directory: Path, restart: int) -> Path:
    return directory / f"{restart}.log"


def termination_message(container: Mapping[str, str], file: Path, log: Path, code: int) -> str:
    """The end of the termination file; of the log, if it is empty, the policy says so and it failed."""
    text = file.read_bytes()[-TERMINATION_MESSAGE_BYTES:] if file.exists() else b""
    policy = container.get("terminationMessagePolicy", "File")
    if not text and code and policy == "FallbackToLogsOnError":
        with log.open("rb") as lines:
            text = b"".join(deque(lines, FALLBACK_LINES))[-FALLBACK_BYTES:]
    return text.decode(errors="replace")
