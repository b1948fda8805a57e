"""The process in which the embedded engine lives: a program of its own, which `ninefold.analysis.process` starts.

It is run by its path and imports nothing of Ninefold, so that it starts in half a second and holds the engine alone.
Statements come over a pipe, one after the other, as JSON: the text and the format of the answer. Each gets two
messages back, whether it went well and what came out: the formatted result, or the engine's own words.

A statement runs beside the thread that listens, so an end of the pipe (whoever asked is gone, however that went) ends
this process in the middle of one, and its files with it. Where the kernel must kill somebody for memory, it is to take
this process: who asked can tell what happened.
"""

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from chdb.session import Session

_open: Any = Session
"""The engine ships no types."""


def main(pipe: Connection, folder: str, memory: str) -> None:
    """Serve until the pipe ends. `folder` is this process's own; `memory` in bytes for the whole of it, or empty."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    session: Any = _open(f"{folder}/data" + (f"?max_server_memory_usage={memory}" if memory else ""))
    for crash in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT):
        signal.signal(crash, signal.SIG_DFL)  # the engine's own handler takes five minutes for its last words
    asked: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_work, args=(pipe, asked, session), daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            asked.put(pipe.recv_bytes())
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _work(pipe: Connection, asked: "SimpleQueue[bytes]", session: Any) -> None:
    while True:
        sql, form = json.loads(asked.get())
        try:
            well, out = True, bytes(session.query(sql, form).bytes())
        except Exception as error:
            well, out = False, str(error).encode()
        with suppress(OSError):
            pipe.send_bytes(b"+" if well else b"-")
            pipe.send_bytes(out)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), *sys.argv[2:4])
