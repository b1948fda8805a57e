"""Where all traces stand in one contrast, in two bits a trace: dozens over millions stay small."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ninefold.analysis.decisions.sequences import Flags
from ninefold.analysis.decisions.tables import Ints

Packed = NDArray[np.uint8]


@dataclass(frozen=True)
class Arms:
    """`met`: the traces that met the point and chose, `better`: those of them on the better arm; eight a byte."""

    traces: int
    met: Packed
    better: Packed

    @classmethod
    def of(cls, traces: int, rows: Ints, won: Flags) -> Self:
        """Of the rows that met the point, and which of them won."""
        met, better = np.zeros(traces, bool), np.zeros(traces, bool)
        met[rows] = True
        better[rows] = won
        return cls(traces, np.packbits(met), np.packbits(better))

    def rows(self) -> tuple[Ints, Flags]:
        """Rows of the traces that stand in the contrast, ascending, and which of them on the better arm."""
        rows = np.flatnonzero(self._flags(self.met))
        return rows, self._flags(self.better)[rows]

    def lost(self) -> Flags:
        """Whether each trace stands on the losing arm."""
        return self._flags(self.met & ~self.better)

    def _flags(self, packed: Packed) -> Flags:
        return np.unpackbits(packed, count=self.traces).view(bool)
