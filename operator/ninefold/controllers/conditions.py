"""Conditions: what a step found, merged into what stands in the status.

A step returns `Verdict`s. `merged` keeps `lastTransitionTime` unless the status changes, so that the same finding
twice is the same status, and nothing is written. Kubernetes' kstatus reads the result: `Ready` is always there,
`Reconciling` and `Stalled` only while they are true.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ninefold.api.base import Condition, rfc3339

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

_MAX_MESSAGE = 4096


@dataclass(frozen=True)
class Verdict:
    """One finding. Status None takes the condition away."""

    type: str
    status: Literal["True", "False", "Unknown"] | None
    reason: str = ""
    message: str = ""


def true(type_: str, reason: str, message: str) -> Verdict:
    return Verdict(type_, "True", reason, message)


def false(type_: str, reason: str, message: str) -> Verdict:
    return Verdict(type_, "False", reason, message)


def absent(type_: str) -> Verdict:
    return Verdict(type_, None)


def ready(reason: str, message: str) -> tuple[Verdict, ...]:
    """All is as it should be."""
    return true(READY, reason, message), absent(RECONCILING), absent(STALLED)


def reconciling(reason: str, message: str) -> tuple[Verdict, ...]:
    """On the way; nobody has to do anything."""
    return false(READY, reason, message), true(RECONCILING, reason, message), absent(STALLED)


def stalled(reason: str, message: str) -> tuple[Verdict, ...]:
    """Only a user can mend it; the message says how."""
    return false(READY, reason, message), absent(RECONCILING), true(STALLED, reason, message)


def ended(reason: str, message: str) -> tuple[Verdict, ...]:
    """Not well, and nothing more will happen by itself."""
    return false(READY, reason, message), absent(RECONCILING), absent(STALLED)


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    found = find(conditions, type_)
    return found is not None and found.status == "True"


def clip(text: str, limit: int) -> str:
    """The text within a schema's bound; a cut shows as an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def counted(number: int, noun: str) -> str:
    """`1 pattern`, `3 patterns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def merged(before: Sequence[Condition], verdicts: Iterable[Verdict], generation: int, now: datetime) -> list[Condition]:
    """The conditions after the verdicts, by type. Conditions that no verdict is about stay as they are."""
    found = {condition.type: condition for condition in before}
    for verdict in verdicts:
        if verdict.status is None:
            found.pop(verdict.type, None)
            continue
        old = found.get(verdict.type)
        same = old is not None and old.status == verdict.status
        found[verdict.type] = Condition(
            type=verdict.type,
            status=verdict.status,
            reason=verdict.reason,
            message=clip(verdict.message, _MAX_MESSAGE),
            last_transition_time=old.last_transition_time if old is not None and same else rfc3339(now),
            observed_generation=generation,
        )
    return [found[type_] for type_ in sorted(found)]
