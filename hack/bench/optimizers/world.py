"""A freight desk in several regions: tasks, tools, and what the tools answer. What fails here is read from a file.

A case is "send <goods> to <town>" in one region. Three steps lead to it: find the region's own code of the depot,
`book` there, and `confirm` in the right way. The failure modes of `modes.json`, each at a decision point of its own:

- `MissingFact` (first call): every region names its depots its own way; `list_depots` tells, a guess seldom hits.
- `ErrorLoop` (after `confirm` has failed): some bookings are locked; `release` unlocks them, a second try does not.
- `ToolChoice` (the last call): pallets want `confirm_freight`; `confirm_parcel` says yes, and they are lost.
- `Trap` (one region): depots there are named as everybody guesses, and looking up costs the slot: the rule that mends
  the other regions breaks this one.
- `WrongFact` (one region): its depots were renamed after the traces were recorded, so what they show is wrong now.

Towns, codes, tasks and their traits come from the seed. Whether a task is locked, on pallets or unlucky is its own and
fixed; everything else is drawn by the stand-in (`standin.py`).
"""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SYSTEM = "You book freight. Use the tools to find the depot, book, and confirm. Stop when the booking is confirmed."
TOOLS = ("list_depots", "book", "confirm_parcel", "confirm_freight", "release")
REGIONS = ("ostmark", "lowland", "harbour", "uplands", "estuary", "moorside", "fenland", "prairie")
TOWNS = ("arden", "belmont", "corvin", "dunmore", "elston", "farrow", "garth", "holme", "ilford", "jarrow")
GOODS = ("apples", "bolts", "carpets", "drums", "engines", "flour", "glass", "hides", "ink", "jars", "kilns", "looms")
STYLES = ("{town}_dp_{tag}", "dp_{tag}_{town}", "{tag}_{town}_hub", "hub_{town}_{tag}", "{town}_{tag}_yard")
GUESS = "{town}_depot"
KINDS = ("MissingFact", "ErrorLoop", "ToolChoice", "Trap", "WrongFact")
KNOWN = {"guess": 0.95, "looks": 0.15, "looks_when_told": 0.92}
"""Without a `MissingFact` in the file a depot's code is what everybody guesses."""
FILE = Path(__file__).with_name("modes.json")


@dataclass(frozen=True)
class Task:
    """One thing to do. `locked` and `pallets` are what the agent finds out on the way."""

    region: str
    town: str
    goods: str
    locked: bool
    pallets: bool

    @property
    def key(self) -> str:
        return f"{self.region}/{self.town}/{self.goods}"

    @property
    def cluster(self) -> str:
        return self.key

    @property
    def question(self) -> str:
        return f"[region {self.region}] Please send {self.goods} to {self.town}."


class World:
    """The regions under one seed. `past` is the world in which the traces were recorded."""

    def __init__(self, seed: int, modes: Path = FILE) -> None:
        given: dict[str, Any] = json.loads(modes.read_text())
        self.settings = given
        self.modes: dict[str, dict[str, Any]] = {"MissingFact": KNOWN} | {mode["kind"]: mode for mode in given["modes"]}
        if unknown := self.modes.keys() - KINDS:
            raise ValueError(f"{modes.name} plants {', '.join(sorted(unknown))}: known kinds are {', '.join(KINDS)}")
        draw = random.Random(f"world/{seed}")
        self.regions = draw.sample(REGIONS, given["regions"])
        self.tags = {region: f"{draw.choice('bcdfghkmnp')}{draw.randrange(3, 99)}" for region in self.regions}
        styles = STYLES * -(-len(self.regions) // len(STYLES))
        self.styles = dict(zip(self.regions, draw.sample(styles, len(self.regions)), strict=True))
        self.trap = self._region("Trap")
        self.renamed = self._region("WrongFact")
        every = [self._task(seed, r, t, g) for r in self.regions for t in TOWNS for g in GOODS]
        draw.shuffle(every)
        by_region = {region: [task for task in every if task.region == region] for region in self.regions}
        n = given["tasks"]
        self.seen = [task for region in self.regions for task in by_region[region][:n]]
        self.unseen = [task for region in self.regions for task in by_region[region][n:]]

    def _region(self, kind: str) -> str | None:
        mode = self.modes.get(kind)
        return self.regions[mode["region"]] if mode else None

    def _task(self, seed: int, region: str, town: str, goods: str) -> Task:
        def has(kind: str) -> bool:
            mode = self.modes.get(kind)
            return mode is not None and unit(f"{seed}/{kind}/{region}/{town}/{goods}") < mode["share"]

        return Task(region, town, goods, has("ErrorLoop"), has("ToolChoice"))

    def codes(self, region: str, *, past: bool) -> list[str]:
        """The depots' codes of a region, as they are now or as they were when the traces were recorded."""
        tag = self.tags[region]
        if past and region == self.renamed:
            tag = f"old{tag}"
        return [self.styles[region].format(town=town, tag=tag) for town in TOWNS]

    def code(self, task: Task, *, past: bool) -> str:
        return self.codes(task.region, past=past)[TOWNS.index(task.town)]


def unit(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
