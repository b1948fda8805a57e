"""A window in slices of time: those that are read and kept one by one, and those of a search with a limit."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

from ninefold.traces.backend import Window

MILLISECOND = 1_000_000
HOUR = 3600 * 10**9
DAY = 24 * HOUR
_LENGTHS = ((100 * DAY, HOUR), (3660 * DAY, DAY))
"""Hours for windows of up to a hundred days, days for ten years: never more than a few thousand slices."""
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


def length_for(window: Window) -> int:
    """How long the slices of a server's window are, in nanoseconds. The same for every window of the same length."""
    return next((length for most, length in _LENGTHS if window.end - window.start <= most), 30 * DAY)


def slice_of(moment: int, length: int) -> Window:
    """The slice that a moment falls into. Slices are whole multiples of their length since 1970, in UTC."""
    start = moment // length * length
    return Window(start, start + length)


def slices_of(window: Window, length: int) -> list[Window]:
    """The slices that a window reaches into, oldest first. Each is whole, also where the window's bound cuts it."""
    first = slice_of(window.start, length).start
    return [Window(start, start + length) for start in range(first, window.end, length)]
