"""Pods of a stage as processes that can be killed: each is forked from one process that has loaded the stage already.

`python pods.py` is that process. It reads JSON lines, `{"environment": {...}}` to start a pod and `{"pid": n}` to wait
for one, and answers each with a line: the pod's pid, or its exit code (negative: the signal that ended it).
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = ["replay", "--bucket", "sealed"]


class Pods:
    """`with Pods() as pods`: starts pods, and waits for them."""

    def __enter__(self) -> "Pods":
        path = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, str(Path(__file__))]
        self._parent = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait()

    def start(self, environment: dict[str, str]) -> int:
        """The pid of a pod with this environment."""
        return self._ask({"environment": environment})

    def end(self, pid: int, by: signal.Signals | None = None) -> int:
        """The exit code of a pod, after it was sent a signal, if any."""
        if by is not None:
            os.kill(pid, by)
        return self._ask({"pid": pid})

    def _ask(self, question: object) -> int:
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.write(f"{json.dumps(question)}\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


def _serve() -> None:
    from ninefold.jobs import replay as _loaded  # noqa: F401 - before the first pod is forked
    from ninefold.jobs.__main__ import main

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the pods log is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        if "pid" in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["pid"], 0)[1])
        elif (answer := os.fork()) == 0:
            os.environ.update(asked["environment"])
            os._exit(main(COMMAND))
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    _serve()
