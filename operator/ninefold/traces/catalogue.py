"""Which trace belongs to which slice, and what has to be opened to see a slice whole: from the entries of all objects.

A trace belongs to the slice in which its earliest row began, in whatever object that row lies. The digest of a slice
covers every trace in it with all rows that any object holds of it. It is equal if and only if reading the slice again
would read the same rows (but for collisions of 64 bits): so a slice is fresh as long as its digest is the same, and a
trace that moves because an earlier span of it arrives makes both slices stale, the one that it leaves too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninefold.traces.backend import Window
from ninefold.traces.objects import UNKNOWN, Entry

_PAIR = np.dtype([("trace", "<u8"), ("digest", "<u8")])


@dataclass(frozen=True)
class Holding:
    """The traces of one slice."""

    slice: Window
    digest: str
    traces: npt.NDArray[np.uint64]
    """Their hashes, sorted."""
    objects: tuple[int, ...]
    """Places, in the list of objects, of those that hold rows of them."""
    until: int
    """The latest time of any of their rows."""


@dataclass(frozen=True)
class Catalogue:
    """The slices of a window that hold traces, oldest first, and how many traces lie outside of it."""

    holdings: list[Holding]
    outside: int


def catalogue(entries: Sequence[Entry], window: Window, length: int) -> Catalogue:
    """The slices, `length` nanoseconds long, of a window, which begins with a slice and may end within one."""
    sizes = [len(entry.rows) for entry in entries]
    if not sum(sizes):
        return Catalogue([], 0)
    rows = np.concatenate([entry.rows for entry in entries])
    objects = np.repeat(np.arange(len(entries)), sizes)
    order = np.argsort(rows["trace"], kind="stable")
    rows, objects = rows[order], objects[order]
    first = np.flatnonzero(np.r_[True, rows["trace"][1:] != rows["trace"][:-1]])
    start = np.minimum.reduceat(rows["start"], first)
    end = np.maximum.reduceat(rows["end"], first)
    digest = np.add.reduceat(rows["digest"], first)  # modulo 2^64, as that of an object's rows
    inside = (start >= window.start) & (start < window.end) & (start != UNKNOWN)
    place = np.where(inside, start // length, -1)
    of_row = np.repeat(place, np.diff(np.r_[first, len(rows)]))
    holdings = []
    for number in np.unique(place[inside]):
        mine = place == number
        pairs = np.zeros(int(mine.sum()), _PAIR)
        pairs["trace"], pairs["digest"] = rows["trace"][first][mine], digest[mine]
        holdings.append(
            Holding(
                slice=Window(int(number) * length, (int(number) + 1) * length),
                digest=hashlib.blake2b(pairs.tobytes(), digest_size=16).hexdigest(),
                traces=pairs["trace"].copy(),
                objects=tuple(int(n) for n in np.unique(objects[of_row == number])),
                until=int(end[mine].max()),
            )
        )
    return Catalogue(holdings, int((~inside & (start != UNKNOWN)).sum()))
