"""What was written to the API server, by whom: its audit log, read back.

"No write when nothing changed" is a promise of the operator, and only the server can count. Each
event is the server's own record (`verb`, `user`, `objectRef`, `responseStatus`, timestamps), without
request bodies. Requests count even when they change nothing: a no-op patch is a write here.
"""

import datetime
import json
from pathlib import Path
from typing import Any

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "Metadata"},
    ],
}
"""One record per finished write. The server refuses the word `*` for verbs, so reads are named."""


def read_writes(log: Path, user: str | None = None, since: datetime.datetime | None = None) -> list[dict[str, Any]]:
    """The writes in the log, oldest first, optionally of one user and received at or after `since`.

    `since` must carry a time zone. A line that is still being written is left for the next call.
    """
    if not log.exists():
        return []
    events = (json.loads(line) for line in _whole_lines(log))
    return [event for event in events if _matches(event, user, since)]


def _matches(event: dict[str, Any], user: str | None, since: datetime.datetime | None) -> bool:
    if user is not None and event["user"]["username"] != user:
        return False
    received = datetime.datetime.fromisoformat(event["requestReceivedTimestamp"])
    return since is None or received >= since


def _whole_lines(log: Path) -> list[str]:
    lines = log.read_text().splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]
