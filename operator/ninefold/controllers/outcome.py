"""From what a plan's step found to a Plan: writes that must come first, events, the status, writes that may follow.

Events stand before the status because the status is what ends a transition: if the process dies between the two, the
next plan sees the same transition and tells it under the same key, which is the same event.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from ninefold.api.base import Condition, Model
from ninefold.controllers.actions import Action, ApplyStatus, Emit, ObjectRef, Plan
from ninefold.controllers.conditions import READY, RECONCILING, STALLED, Verdict, clip, find, merged
from ninefold.controllers.objects import Resource, SpecT, StatusT

AnyModel = TypeVar("AnyModel", bound=Model)

_MAX_EVENT = 1024
"""The API server's bound of an event's note."""


@dataclass(frozen=True)
class Outcome:
    """What one step of a plan wants.

    verdicts: findings, to be merged into the conditions.
    status: further fields of the status by name (snake_case); None takes a field away.
    first: actions before the status, such as what the status names.
    after: actions that may be lost with the process, because the next plan asks for them again.
    """

    verdicts: tuple[Verdict, ...] = ()
    status: dict[str, Any] | None = None
    first: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()
    again_at: datetime | None = None


def finish(resource: Resource[SpecT, StatusT], outcome: Outcome, now: datetime, manager: str) -> Plan:
    """The plan for an outcome. The status is planned only where it differs from what is there."""
    before: list[Condition] = list(getattr(resource.status, "conditions", []))
    conditions = merged(before, outcome.verdicts, resource.generation, now)
    wanted = resource.status.model_copy(
        update={
            **(outcome.status or {}),
            "conditions": conditions,
            "observed_generation": resource.generation,
        }
    )
    writes: tuple[Action, ...] = ()
    if _comparable(wanted) != _comparable(resource.status):
        events = _events(resource.ref, before, conditions)
        writes = (*events, ApplyStatus(resource.ref, wanted.wire(), manager))
    return Plan((*outcome.first, *writes, *outcome.after), outcome.again_at)


def _comparable(status: Model) -> dict[str, Any]:
    wire = status.wire()
    wire["conditions"] = sorted(wire.get("conditions", []), key=lambda condition: str(condition["type"]))
    return wire


def _events(ref: ObjectRef, before: list[Condition], after: list[Condition]) -> list[Emit]:
    """One event per condition whose status or reason changed. Ready and Reconciling only repeat the others."""
    told = []
    for condition in after:
        if condition.type in (READY, RECONCILING):
            continue
        old = find(before, condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            continue
        told.append(
            Emit(
                ref,
                _event_type(condition),
                condition.reason,
                clip(f"{condition.type}: {condition.message}", _MAX_EVENT),
                key=f"{ref.uid}/{condition.type}/{condition.status}/{condition.reason}/{_since(old, before)}",
            )
        )
    return told


def _since(old: Condition | None, before: list[Condition]) -> str:
    """What tells a transition from the same one on another day. Stalled comes and goes as a whole; Ready stays."""
    last = old or find(before, READY)
    return last.last_transition_time if last is not None else "first"


def _event_type(condition: Condition) -> Literal["Normal", "Warning"]:
    return "Warning" if condition.type == STALLED or condition.reason in WARNINGS else "Normal"


def rounded(figures: AnyModel) -> AnyModel:
    """Figures for a status: four digits are more than the sample supports, and a table stays readable."""
    floats = {name: round(value, 4) for name, value in figures if isinstance(value, float)}
    return figures.model_copy(update=floats)


WARNINGS = frozenset({"Failed", "ArtifactForged", "PolicyConflict", "TamperedVersion"})
"""Reasons that deserve a person's look beside `Stalled`."""
