"""Rows that hold several items each, one after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def places(sizes: NDArray[Any], rows: NDArray[Any]) -> Ints:
    """Where the items of these rows stand, row after row; row i has `sizes[i]` of them."""
    ends, own = np.cumsum(sizes, dtype=np.int64), sizes[rows].astype(np.int64)
    return np.repeat(ends[rows] - own - (np.cumsum(own) - own), own) + np.arange(int(own.sum()))
