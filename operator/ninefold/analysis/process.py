"""The embedded engine's process, as who asks sees it: it can be left alone, ended, or die, and that is a sentence.

A statement of the engine cannot be stopped from outside. In this process it would hold up every signal, and when the
kernel ends it for memory, this process would go along. So it runs in one of its own (`apart.py`), started afresh and
not forked, for a forked engine hangs. Starting takes half a second: who is done leaves it, empty, for the next one.
"""

import atexit
import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ninefold.analysis.engine import died, refused, subject
from ninefold.analysis.limits import Limits

log = logging.getLogger(__name__)

STILL = 15.0
"""Seconds after which the log is told, again and again, that a statement is still at work."""
_PROGRAM = str(Path(__file__).with_name("apart.py"))
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
"""What the engine's process is given of the environment: none of the pod's secrets."""


class Process:
    """One engine, asked by one thread at a time. `folder` is its own, also for files that it is to read."""

    def __init__(self, within: Limits) -> None:
        self.within = within
        self.folder = tempfile.mkdtemp(prefix="ninefold-engine-")
        self._pipe, theirs = multiprocessing.Pipe()
        memory = "" if within.memory is None else str(within.memory)
        # A session of its own: Ctrl-C is for who asks. `-P`: nothing beside the program is imported.
        self._process = subprocess.Popen(  # noqa: S603 - our own program, and no user's words
            [sys.executable, "-P", _PROGRAM, str(theirs.fileno()), self.folder, memory],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, sql: str, form: str = "Null") -> bytes:
        """What a statement gives, in one of the engine's formats. Raises EngineError.

        What else is raised while it waits (Ctrl-C) leaves the engine at work: `end` it.
        """
        began = time.monotonic()
        try:
            self._pipe.send_bytes(json.dumps([sql, form]).encode())
            while not self._pipe.poll(STILL):
                log.info("engine: still at %s", subject(sql), extra={"seconds": round(time.monotonic() - began)})
            well, said = self._pipe.recv_bytes() == b"+", self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise died(self.end()) from None
        if not well:
            raise refused(said.decode(errors="replace"))
        return said

    def end(self) -> int:
        """End it, whatever it is doing, and remove its files. Returns the signal that it had died of, 0 for none."""
        self._pipe.close()
        try:
            code = self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        return max(0, -code)


_FAREWELL = 0.5
"""Seconds that a process whose pipe is closed has to go by itself."""
_idle: list[Process] = []
_lock = threading.Lock()


def taken(within: Limits) -> Process:
    """A process with these limits: one that was left, or a new one."""
    with _lock:
        found = next((one for one in _idle if one.within == within), None)
        if found is not None:
            _idle.remove(found)
            return found
    return Process(within)


def left(process: Process) -> None:
    """For the next one who takes it. It must hold nothing."""
    with _lock:
        _idle.append(process)


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()
