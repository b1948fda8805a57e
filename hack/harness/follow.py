"""Follow a run by its conditions, the way `kubectl get --watch` shows them, until it has ended.

The watch's lines come through a thread and a queue: reading a pipe cannot be given a deadline otherwise. When kubectl
loses its watch (an API server restarts), another one is opened; conditions that were told already are not told again.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from harness.kubectl import Kubectl, Manifest

Say = Callable[[str], None]

RUN = "optimizationruns.ninefold.dev"
POLICY = "optimizationpolicies.ninefold.dev"

ECHOES = ("Reconciling",)
"""Conditions that say what another one says."""


class NotClosed(RuntimeError):
    """The loop did not close within its deadline. The message ends with the last conditions."""


def conditions(document: Manifest) -> dict[str, dict[str, Any]]:
    """The conditions of an object, by type."""
    return {c["type"]: c for c in document.get("status", {}).get("conditions", [])}


def follow_run(kubectl: Kubectl, say: Say, seconds: float) -> Manifest:
    """The first run that ends in the namespace; every change of one of its conditions is said in a line.

    Raises NotClosed after `seconds`.
    """
    started = time.monotonic()
    told: dict[tuple[str, str], tuple[str, str, str]] = {}
    last: Manifest = {}
    for run in _objects(kubectl, RUN, started + seconds):
        last = run
        for kind, condition in conditions(run).items():
            news = (condition["status"], condition["reason"], condition["message"])
            key = (run["metadata"]["uid"], kind)
            if kind not in ECHOES and told.get(key, ("",))[:2] != news[:2]:
                what = "…" if news[:1] == ("False",) and kind == "Ready" else f"{kind}={news[0]}"
                say(f"{what} {news[1]}: {news[2]}")
            told[key] = news
        if run.get("status", {}).get("completionTime"):
            return run
    raise NotClosed(f"no run ended within {seconds:.0f} s. {_last_words(kubectl, last)}")


def _last_words(kubectl: Kubectl, run: Manifest) -> str:
    """What a user would look at: the run's last condition, else what keeps the policy from starting one."""
    if run:
        latest = max(conditions(run).values(), key=lambda c: str(c.get("lastTransitionTime", "")), default=None)
        name, where = run["metadata"]["name"], run.get("status", {}).get("phase", "no phase")
        said = f"{latest['type']}={latest['status']} {latest['reason']}: {latest['message']}" if latest else "nothing"
        return f"Run {name} ({where}) last said {said}"
    kinds = "optimizationpolicies,agents,tracebackends"
    found = json.loads(kubectl.run("get", kinds, "-o", "json"))["items"]
    lines = [
        f"{one['kind']} {one['metadata']['name']}: {c['type']}={c['status']} {c['reason']}: {c['message']}"
        for one in found
        for c in conditions(one).values()
    ]
    return "No run was created. " + (" | ".join(lines) if lines else "No object has a condition: is the operator up?")


def _objects(kubectl: Kubectl, kind: str, deadline: float) -> Iterator[Manifest]:
    """Objects as the watch tells them, until the deadline."""
    while time.monotonic() < deadline:
        with kubectl.running("get", kind, "--watch", "-o", "json") as process:
            assert process.stdout is not None
            incoming: queue.Queue[Manifest | None] = queue.Queue()
            threading.Thread(target=_read, args=(process.stdout, incoming), daemon=True).start()
            while (left := deadline - time.monotonic()) > 0:
                try:
                    found = incoming.get(timeout=left)
                except queue.Empty:
                    return
                if found is None:
                    break
                yield found
        time.sleep(0.5)  # the watch was lost: do not hammer a server that is restarting


def _read(stream: IO[str], into: "queue.Queue[Manifest | None]") -> None:
    """kubectl indents: an object ends with the line that is one closing brace."""
    lines: list[str] = []
    try:
        for line in stream:
            lines.append(line)
            if line.rstrip() == "}":
                into.put(json.loads("".join(lines)))
                lines = []
    except ValueError:
        pass  # the pipe was closed under the reader
    into.put(None)
