"""What a plan may ask for. Values only: a plan can be compared, printed and replayed.

Actions are performed in the order in which they stand, and the first failure ends the reconcile: so a plan puts what
must exist first (a version before the status that names it). Every name is deterministic, hence doing an action
twice is the same as doing it once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Manifest = dict[str, Any]


@dataclass(frozen=True)
class ObjectRef:
    """One object. `uid`, where given, is a precondition: a namesake made later is never touched."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str | None = None


@dataclass(frozen=True)
class Create:
    """Create an object. That it is there already, with our labels and owner, counts as done."""

    manifest: Manifest


@dataclass(frozen=True)
class Apply:
    """Server-side apply of an object that we own, forced for our fields under the field manager."""

    manifest: Manifest
    manager: str


@dataclass(frozen=True)
class Replace:
    """Write a whole object that must still be at the resourceVersion in the manifest; a conflict retries the key."""

    manifest: Manifest


@dataclass(frozen=True)
class ApplyStatus:
    """Server-side apply of the status subresource. Planned only when it differs from what is there."""

    ref: ObjectRef
    status: dict[str, Any]
    manager: str


@dataclass(frozen=True)
class Delete:
    """Delete in the background, only this UID. Gone already counts as done."""

    ref: ObjectRef


@dataclass(frozen=True)
class Emit:
    """A Kubernetes event. `key` makes its name deterministic, so the same transition is told once."""

    ref: ObjectRef
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    key: str


Action = Create | Apply | Replace | ApplyStatus | Delete | Emit


@dataclass(frozen=True)
class Plan:
    """Actions in order, and when to look again if nothing happens before."""

    actions: tuple[Action, ...] = ()
    again_at: datetime | None = None
