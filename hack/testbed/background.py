"""A test bed that stays up between commands: `up`, `down`, `status`.

One *keeper* process holds the control plane, Redis and the local node as its children, and waits. All
state is in one directory; `state.json` appears in it when everything is ready and says where. Since
children never outlive their parent (`shim.py`), there is one process to stop and one way to lose
everything at once; a keeper that was killed leaves files, never processes.

The keeper is recognised by process id and start time, so a recycled id is never mistaken for it. Every
process of the test bed inherits `NINEFOLD_TESTBED=<directory>`, and those in pods, whose environment is
clean, have their HOME below it: that is how `down` can check, on Linux, that nothing is left.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.binaries import binaries, say
from testbed.controlplane import ControlPlane
from testbed.localnode import LocalNode
from testbed.paths import HACK, REPOSITORY
from testbed.redis import RedisServer, redis_binary
from testbed.waiting import eventually

STATE = REPOSITORY / ".ninefold-testbed"
"""Where `up` keeps everything unless told otherwise; ignored by Git, removed by `down`."""

MARK = "NINEFOLD_TESTBED"

KEEPER_LOG = "keeper.log"

UP_SECONDS, DOWN_SECONDS = 120.0, 30.0


class BackgroundError(RuntimeError):
    """The test bed did not come up, or did not go down; the message says where to look."""


@dataclass(frozen=True)
class State:
    """What `state.json` says about a running test bed."""

    pid: int
    started: str
    kubeconfig: str
    redis_url: str
    binaries: str

    @property
    def running(self) -> bool:
        return bool(self.started) and _start_time(self.pid) == self.started


def up(directory: Path = STATE) -> State:
    """The running test bed of this directory, started if there is none. Shows progress on stderr."""
    if state := running_state(directory):
        return state
    _remove(directory)
    binaries()
    redis_binary()
    directory.mkdir(parents=True)
    log = directory / KEEPER_LOG
    say("starting the control plane, Redis and the local node")
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "testbed.background", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(HACK), MARK: str(directory)},
            start_new_session=True,
        )
    with suppress(TimeoutError):
        eventually(lambda: running_state(directory) or keeper.poll() is not None, "up", UP_SECONDS, step=0.05)
    if state := running_state(directory):
        return state
    keeper.kill()
    raise BackgroundError(f"the test bed did not come up, see {log}:\n{log.read_text()[-2000:]}")


def down(directory: Path = STATE) -> None:
    """Stop the test bed of this directory, check that no process of it is left, remove the directory."""
    if state := running_state(directory):
        os.kill(state.pid, signal.SIGTERM)
        try:
            eventually(lambda: not state.running, "the keeper has ended", DOWN_SECONDS)
        except TimeoutError:
            os.kill(state.pid, signal.SIGKILL)
    try:
        eventually(lambda: not leftovers(directory), "no process of the test bed is left")
    except TimeoutError as error:
        raise BackgroundError(f"still running: {leftovers(directory)}") from error
    _remove(directory)


def running_state(directory: Path) -> State | None:
    """The state of the test bed in this directory if its keeper runs."""
    try:
        state = State(**json.loads((directory / "state.json").read_text()))
    except FileNotFoundError:
        return None
    return state if state.running else None


def leftovers(directory: Path) -> dict[int, str]:
    """Processes that belong to this directory's test bed: id and command. Empty where /proc is not."""
    marks = (f"{MARK}={directory}\0".encode(), f"\0HOME={directory}/".encode())
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = b"\0" + (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if command and any(mark in environment for mark in marks):
            found[int(process.name)] = command.strip()
    return found


def keep(directory: Path) -> None:
    """The keeper's whole life: start everything, say where, wait for SIGTERM, stop everything."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        control_plane = stack.enter_context(ControlPlane(directory / "controlplane"))
        redis = stack.enter_context(RedisServer(directory / "redis"))
        stack.enter_context(LocalNode(control_plane, directory=directory / "node"))
        state = State(
            pid=os.getpid(),
            started=_start_time(os.getpid()),
            kubeconfig=str(control_plane.kubeconfig()),
            redis_url=redis.url,
            binaries=str(control_plane.binaries),
        )
        draft = directory / "state.json.new"
        draft.write_text(json.dumps(asdict(state), indent=1))
        draft.replace(directory / "state.json")
        stop.wait()


def _remove(directory: Path) -> None:
    """Remove a test bed's directory, and nothing that somebody named by mistake."""
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / KEEPER_LOG).exists():
        raise BackgroundError(f"{directory} is not the directory of a test bed, so it is not removed")
    shutil.rmtree(directory)


def _start_time(pid: int) -> str:
    """When this process started, in the kernel's ticks or in the words of `ps`; empty if it does not run."""
    if Path("/proc/self/stat").exists():
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if after_name[0] == "Z" else after_name[19]
    query = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
