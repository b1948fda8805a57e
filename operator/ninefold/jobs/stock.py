"""Taking stock of objects: each that the index does not know as it is now is opened, once, and noted in it.

Several pods may do so side by side. Each claims an object before it opens it and begins at its own place in the list;
what others have claimed it leaves to them, until their time is over.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ninefold.jobs.keeping import Parts
from ninefold.traces import Window
from ninefold.traces.catalogue import Catalogue, catalogue
from ninefold.traces.objects import Entry, Indexing, Object, ObjectSource
from ninefold.traces.scratch import Scratch
from ninefold.traces.table import nonzero

log = logging.getLogger(__name__)

UNREADABLE = "unreadable_files"
"""An object that broke off may be whole the next time, so what it gave is noted for this run alone."""
_POLL = 1.0
"""Seconds between two looks at what other pods are doing."""
_SLOWEST = 2**20
"""Bytes that a pod opens in a second at least; one that takes longer is given up by the others."""

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is, and how much there is."""


@dataclass(frozen=True)
class Shard:
    """Which share of the work is done here: number `index` of `count`."""

    index: int = 0
    count: int = 1


class Stock:
    """The objects of a window, what the index says of them, and the rows of those that were opened."""

    def __init__(
        self, source: ObjectSource, kept: Parts, objects: Sequence[Object], scratch: Scratch, *, run: str
    ) -> None:
        self.objects, self.scratch, self._run = objects, scratch, run
        self._source, self._kept = source, kept
        self._entries: dict[int, Entry] = {}

    @property
    def losses(self) -> Counter[str]:
        """What was counted while the objects were read, by whomever."""
        return sum((Counter(entry.losses) for entry in self._entries.values()), Counter[str]())

    def catalogue(self, window: Window, length: int) -> Catalogue:
        return catalogue([self._entries[place] for place in range(len(self.objects))], window, length)

    def take(self, shard: Shard, progress: Progress, pause: Callable[[float], None] = time.sleep) -> None:
        """Open what the index does not know."""
        self._kept.forget_entries([one.key for one in self.objects])
        self._look()
        of = len(self.objects)
        first = shard.index * of // shard.count
        while missing := [p for p in [*range(first, of), *range(first)] if p not in self._entries]:
            for place in missing:
                one = self.objects[place]
                lasts = timedelta(seconds=60 + one.size // _SLOWEST)
                if shard.count > 1 and not self._kept.claim(one.key, str(shard.index), lasts):
                    continue
                self.open(place)
                progress("objects", len(self._entries), of)
            if shard.count > 1 and len(self._entries) < of:
                self._look()
                if len(self._entries) < of:
                    pause(_POLL)

    def open(self, place: int) -> bool:
        """Read an object into the scratch. False when it holds something else than the index said."""
        one = self.objects[place]
        indexing = Indexing()
        self.scratch.add(place, indexing.packed(self._source.rows(one), self._source))
        losses = nonzero(self._source.losses)
        self._source.losses.clear()
        tag = f"{one.tag} {self._run}" if UNREADABLE in losses else one.tag
        known, entry = self._entries.get(place), indexing.entry(tag, losses)
        if known is not None and np.array_equal(known.rows, entry.rows):
            return True
        self._entries[place] = entry
        self._kept.put_entries({one.key: entry.to_bytes()})
        log.info("opened", extra={"object": one.key, "bytes": one.size, "traces": len(entry.rows)})
        return known is None

    def _look(self) -> None:
        """Take from the index what is still true."""
        unknown = {one.key: place for place, one in enumerate(self.objects) if place not in self._entries}
        for key, data in self._kept.entries(list(unknown)).items():
            try:
                entry = Entry.from_bytes(data)
            except ValueError:
                continue
            tag = self.objects[unknown[key]].tag
            if entry.tag in (tag, f"{tag} {self._run}"):
                self._entries[unknown[key]] = entry
