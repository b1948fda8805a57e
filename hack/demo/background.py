"""The demo after its summary: a background process that holds everything up until `make clean`.

All servers are tethered to the process that started them. So when the summary is printed the process forks: the parent
goes back to the shell, and the child, which holds the same tethers, stays until it gets SIGTERM. A lock file that only
the holder has locked says whether there is one; a process id alone could be somebody else's by now.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, NoReturn

STOP_SECONDS = 30.0


class AlreadyRunning(RuntimeError):
    """Another demo holds the lock."""


class Lock:
    """The lock file of one demo directory. Held until this process and its forks have ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise AlreadyRunning(f"{path} is locked: a demo is running") from None
        self.note_holder()

    def note_holder(self) -> None:
        """Write down who must be told to stop."""
        self._path.write_text(str(os.getpid()))


def stop(path: Path) -> bool:
    """End the demo that holds the lock, if there is one, and wait until it is gone. True when there was one."""
    if not path.exists():
        return False
    deadline = time.monotonic() + STOP_SECONDS
    told = False
    while True:
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    os.kill(int(path.read_text()), signal.SIGTERM)
                    told = True
            else:
                return told
        if time.monotonic() > deadline:
            raise AlreadyRunning(f"the demo of process {path.read_text()} did not end within {STOP_SECONDS:.0f} s")
        time.sleep(0.05)


def leave_running(lock: Lock) -> None:
    """Fork. The parent exits with 0 here and now; the child returns only when it is told to stop, by SystemExit."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGTERM, _end)
    lock.note_holder()
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    while True:
        signal.pause()


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)
