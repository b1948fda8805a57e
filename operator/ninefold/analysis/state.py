"""The state before a decision, as far as later success may depend on it: what was done, what is known, what went wrong."""

from collections.abc import Sequence

from ninefold.analysis.episodes import Call
from ninefold.analysis.facts import Knowledge

PREFIX = 2
"""Signatures of the last calls that a state remembers; longer prefixes are too rare to match on."""


def state_before(calls: Sequence[Call], knowledge: Knowledge) -> str:
    """Equal for traces in equal positions: the last actions, whether anything was looked up, the last error."""
    last = " > ".join(c.action for c in calls[-PREFIX:])
    informed = any(c.action in knowledge.informing and c.error is None for c in calls)
    error = next((c.error for c in reversed(calls) if c.error), "")
    return f"{last} | {'informed' if informed else 'uninformed'} | {error}"
