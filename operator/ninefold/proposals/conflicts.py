"""Conflicts: two edits that cannot both be right for one case. Pure.

A model that reads both follows one of them, and nobody knows which. Detected are opposite choices between two tools
and opposite orders of two calls, under conditions that one case can meet. (Reference data that is out of date is not a
conflict: `facts` proposes the new in place of the old.)
"""

import re
from collections.abc import Iterable

from ninefold.api.edits import Edit

_NAME = r"`?([\w.:/-]*\w)`?"
_CHOICE = re.compile(rf"\bcall {_NAME} (?:rather than|instead of) {_NAME}", re.I)
_ORDER = re.compile(rf"\bcall {_NAME} (?:first|before) (?:you call |calling )?{_NAME}", re.I)


def conflict(edit: Edit, others: Iterable[Edit]) -> Edit | None:
    """The first of the others that contradicts the edit; None when none does."""
    return next((other for other in others if overlapping(edit, other) and _opposite(edit.text, other.text)), None)


def overlapping(one: Edit, other: Edit) -> bool:
    """Whether a case can meet the conditions of both."""
    mine, theirs = one.when or {}, other.when or {}
    return all(mine[key] == theirs[key] for key in mine.keys() & theirs.keys())


def _opposite(one: str, other: str) -> bool:
    for shape in (_CHOICE, _ORDER):
        theirs = set(shape.findall(other))
        if any((second, first) in theirs for first, second in shape.findall(one)):
            # The same two tools may be right the other way round where something else tells them apart.
            return shape is _ORDER or _clause(one) == _clause(other)
    return False


def _clause(text: str) -> str:
    """What stands before the choice: the cue that tells when it holds."""
    return text.partition(", call ")[0].casefold()
