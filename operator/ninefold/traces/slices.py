"""A window searched in slices, where a server answers at most N and does not say which ones it left out."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

from ninefold.traces.backend import Window

MILLISECOND = 1_000_000
HOUR = 3600 * 10**9
_Found = TypeVar("_Found")


def sliced(
    window: Window, search: Callable[[Window], _Found | None], losses: Counter[str], shortest: int = MILLISECOND
) -> Iterator[_Found]:
    """What `search` finds in the window, oldest slice first; it answers None where a slice holds too many.

    Slices begin an hour long, which servers allow, are halved where they are full, and grow again where they are not.
    `shortest` is what the server can tell apart, in nanoseconds: all slices are a multiple of it, and one of this
    length that is still full is given up and counts as `slices_over_limit`.
    """
    start, length = window.start, HOUR
    while start < window.end:
        part = Window(start, min(start + length, window.end))
        found = search(part)
        if found is None and part.end - part.start > shortest:
            length = max(shortest, (part.end - part.start) // 2 // shortest * shortest)
            continue
        if found is None:
            losses["slices_over_limit"] += 1
        else:
            yield found
        start, length = part.end, min(HOUR, length * 2)
