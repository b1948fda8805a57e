"""What unpacks to far more than it is: read up to a bound, then left (`zip_bombs`).

A few megabytes of zeros become gigabytes, and time and disk are the Job's. The bound is a ratio, for real exports
shrink well too: every turn of a conversation repeats the history.
"""

import io
from typing import Any

MAX_EXPANSION = 400
"""Unpacked bytes to packed ones. Real exports reach 100; a bomb about 1,000."""
FREE_EXPANSION = 2**28
"""Bytes below which the ratio does not matter: 256 MiB are read in seconds."""


class BombError(Exception):
    """A file unpacks to more than any export does."""


def allowed(size: int) -> int:
    """Bytes to which a file of this many may unpack."""
    return max(FREE_EXPANSION, size * MAX_EXPANSION)


class Bounded(io.RawIOBase):
    """A decompressing stream that ends with a BombError when it gives far more than it was given."""

    def __init__(self, inner: Any, size: int) -> None:
        self._inner, self._left = inner, allowed(size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read1(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise BombError
        buffer[: len(data)] = data
        return len(data)
