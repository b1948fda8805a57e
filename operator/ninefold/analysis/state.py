"""The state before a decision, as far as success may depend on it: what was done, what is known, what failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from ninefold.analysis.episodes import Call
from ninefold.analysis.facts import Knowledge

PREFIX = 2
"""Signatures of the last calls that a state remembers; longer prefixes are too rare to match on."""


@dataclass(frozen=True, slots=True)
class State:
    """`done`: the last actions. `known`: which look-ups were made. `failed`: signature of the last error, or ''."""

    done: str
    known: str
    failed: str

    def __str__(self) -> str:
        return f"{self.done} | {self.known} | {self.failed}"


def state_before(calls: Sequence[Call], knowledge: Knowledge) -> State:
    """Equal for traces in equal positions."""
    known = sorted({c.action for c in calls if c.action in knowledge.informing and c.error is None})
    return State(
        done=" > ".join(c.action for c in calls[-PREFIX:]),
        known=", ".join(known),
        failed=next((c.error for c in reversed(calls) if c.error), ""),
    )
