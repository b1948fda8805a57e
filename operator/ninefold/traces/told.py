"""The messages of one trace's texts, with what they repeat read once.

Every turn of a conversation tells the system prompt again, and the whole history before it: the text of a turn's
messages is, but for its last bracket, the beginning of the next turn's. So a text that goes on where a known one ended
is read from there, and its messages are the known ones and some more. Else a trace would cost the square of its length.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ninefold.traces.genai import is_bare, messages_of
from ninefold.traces.model import Message

_REMEMBERED = 4
"""Texts: the system prompt, and the histories of agents that take turns."""


@dataclass(frozen=True, slots=True)
class _Known:
    beginning: str
    """The text without its last bracket."""
    messages: tuple[Message, ...]
    bare: bool
    """The text is a system prompt's parts: what is added to them is no further message."""


class Told:
    """Reads texts of one trace as `genai.messages_of` does, with the same results and losses."""

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def messages(self, value: Any, losses: Counter[str], role: str = "user") -> tuple[Message, ...]:
        """Messages from an attribute; `role` is whose words plain text is."""
        if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
            return messages_of(value, losses, role)
        for known in reversed(self._known):
            if value.startswith(known.beginning) and (new := _after(known, value)) is not None:
                self._known.remove(known)
                return self._remember(new)
        try:
            items = json.loads(value)
        except (ValueError, RecursionError):
            return messages_of(value, losses, role)
        lost = Counter[str]()
        found = messages_of(items, lost, role)
        losses.update(lost)
        return found if lost or not found else self._remember(_Known(value[:-1], found, is_bare(items)))

    def _remember(self, known: _Known) -> tuple[Message, ...]:
        self._known = [*self._known[1 - _REMEMBERED :], known]
        return known.messages


def _after(known: _Known, value: str) -> _Known | None:
    """A text that begins with a known one; None where it does not simply go on with more messages."""
    if len(value) == len(known.beginning) + 1:
        return known
    rest = value[len(known.beginning) :].lstrip()
    if known.bare or not rest.startswith(","):
        return None
    try:
        items = json.loads("[" + rest[1:])
    except (ValueError, RecursionError):
        return None
    lost = Counter[str]()
    if not items or is_bare(items) or not (more := messages_of(items, lost)) or lost:
        return None
    return _Known(value[:-1], known.messages + more, bare=False)
