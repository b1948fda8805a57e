"""What the API server refuses, as sentences that name the object, the right or the field."""

import json
from typing import Any

MAX_MESSAGE = 400
"""The server quotes the value that it refuses, which may be a prompt: its message is cut, not repeated whole."""


class KubeError(Exception):
    """A request that failed. `status` is the HTTP status, 0 when there was no answer; `reason` the server's word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """The object has changed since it was read, or another UID has its name now."""
        return self.status == 409 and self.reason == "Conflict"

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def namespace_ends(self) -> bool:
        """Nothing can be created any more: the namespace is being deleted, and all that we own in it with it."""
        return self.status == 403 and "because it is being terminated" in self.message


def refusal(what: str, status: int, body: bytes) -> KubeError:
    """The error for an answer that is no success. `what` says what was tried: `create Job ns/name`."""
    answer = _status_of(body)
    reason = str(answer.get("reason") or "Unknown")
    told = str(answer.get("message") or "no reason given")[:MAX_MESSAGE]
    advice = ""
    if status == 403 and " cannot " in told:
        advice = ". Give the operator's Role or ClusterRole this verb (the chart does)"
    return KubeError(status, reason, f"the API server refused to {what} ({status} {reason}): {told}{advice}")


def silence(what: str, error: Exception) -> KubeError:
    """The error for a request that got no answer."""
    return KubeError(0, "Unreachable", f"the API server did not answer ({type(error).__name__}) on: {what}")


def _status_of(body: bytes) -> dict[str, Any]:
    """The server's Status object; what stands between us and it may answer in HTML."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
