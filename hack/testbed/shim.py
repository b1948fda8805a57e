"""A parent for one command that never outlives the process which asked for it.

Run as a script: `python -I -S shim.py COMMAND [ARGUMENT ...]`, with a pipe as standard input.

Why a process in between: a test run may be killed with SIGKILL, and then no `finally` of it runs,
but its etcd, its API server and the "containers" of the local node must go all the same. The pipe
is the tether. Its other end is held by the asking process alone; when that process goes, however
it goes, the kernel closes the pipe, and the shim reads end-of-file and kills everything below it.
PR_SET_PDEATHSIG alone would not do: it fires when the *thread* that forked ends, which in a test
suite is often a worker thread, and it reaches the child but not the child's children. The command
itself carries it too, set by the shim's only thread, for the case that the shim is what is killed.

What the shim does for its command, as a container's first process would:

- the command leads a session and a process group of its own, with /dev/null as standard input;
- SIGTERM is passed on to the command, and only to it: a graceful stop;
- SIGUSR1, or end-of-file on the tether, kills the whole tree with SIGKILL;
- when the command ends, what it left running is killed, and its exit code becomes the shim's
  (128 + N when signal N ended it).

"The whole tree" is exact on Linux: the shim is a *child subreaper*, so descendants whose parents
die become its own children, even those in other sessions. Killing its children until none is left
therefore kills them all. Elsewhere the process group has to do.

Only the standard library, and little of it: one shim starts per container.
"""

import ctypes
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None) if _LINUX else None

COMMAND_NOT_FOUND = 127


def main(command: list[str]) -> int:
    """Run the command to its end and return the exit code a shell would report."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    child = _spawn(command)
    tether = 0
    while True:
        ready, _, _ = select.select([wakeup, tether], [], [])
        if tether in ready and not os.read(tether, 512):
            _kill_tree(child)
            return 128 + signal.SIGKILL
        for caught in os.read(wakeup, 512) if wakeup in ready else b"":
            if caught == signal.SIGTERM:
                os.kill(child, signal.SIGTERM)
            elif caught == signal.SIGUSR1:
                _kill_tree(child)
                return 128 + signal.SIGKILL
        status = _reap_until(child)
        if status is not None:
            _kill_tree(child)
            return status if status >= 0 else 128 - status


def _spawn(command: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(COMMAND_NOT_FOUND)


def _reap_until(child: int) -> int | None:
    """Collect every ended child; the command's exit code (negative: signal) if it was among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _kill_tree(child: int) -> None:
    """Kill children until there are none: each round adopts the children of those that died."""
    while True:
        for pid in _children() or [-child]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    if not _LINUX:
        return []
    try:
        listing = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
        return [int(word) for word in listing.split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return []


def _prctl(option: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
