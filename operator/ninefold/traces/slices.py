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


Search = Callable[[Window, int], tuple[_Found, bool] | None]
"""What a server finds in a slice when it may answer so many, and whether that is all; None: it cannot answer."""
DEEPER = (10, 100)
"""Times the usual number of answers, for a slice that cannot be halved."""


def sliced(
    window: Window, search: Search[_Found], limit: int, losses: Counter[str], shortest: int = MILLISECOND
) -> Iterator[_Found]:
    """What `search` finds in the window, oldest slice first, `limit` answers a slice.

    Slices begin an hour long, which servers allow, are halved where they are full, and grow again where they are not.
    `shortest` is what the server can tell apart, in nanoseconds: all slices are a multiple of it. One of this length
    that is still full is asked for more answers (`DEEPER`); if those are not all, it gives what was found and counts as
    `slices_over_limit`.
    """
    start, length = window.start, HOUR
    while start < window.end:
        part = Window(start, min(start + length, window.end))
        answer = search(part, limit)
        if (answer is None or not answer[1]) and part.end - part.start > shortest:
            length = max(shortest, (part.end - part.start) // 2 // shortest * shortest)
            continue
        for times in DEEPER:
            if answer is None or answer[1]:
                break
            answer = search(part, limit * times) or answer
        losses["slices_over_limit"] += answer is None or not answer[1]
        if answer is not None:
            yield answer[0]
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
