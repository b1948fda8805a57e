"""A stand-in for the agent's model. It is not a model, and says so in its name; it knows no task's solution.

It reads its instructions and what the tools have answered. Paragraphs that begin `In region <name>` count only there.
Its habits, with the probabilities of `modes.json`:

- **Depot.** A code in the instructions that holds the town's name is believed and used (several: one of them). Else it
  looks up first with probability `looks`, or `looks_when_told` when a short sentence tells it to look up (or names
  `list_depots`) first; else it guesses, and hits with probability `guess`. After a refused code it looks up with 0.25
  (0.08 when it had believed a code; `looks_when_told` when told to look up after a failure), repeats itself with 0.4
  (0.08 when told what to do about errors), or guesses once more.
- **Confirmation.** Pallets are confirmed as freight with probability `right`, `right_when_told` when a sentence names
  pallets and `confirm_freight`. A locked booking is released with `releases`, with `releases_when_told` when a
  sentence about failed calls says to change or to take another way, with `releases_when_shown` when it names
  `release`; else it confirms again.
- **Haste.** A sentence that tells it to be quick halves what it looks up.
- **Slips.** A share `slip` of finished cases is spoilt whatever the prompt says.

Each decision is drawn from a generator seeded by everything that was read *and* by how often this very request was
made, so the same prompt twice differs, and a whole run is still the same under the same seed.
"""

import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.optimizers.environment import Call, Run
from bench.optimizers.world import GUESS, Task, World

LOOK = re.compile(r"\b(look[- ]?up|looks? up|list_depots)\b", re.I)
ORDER = re.compile(r"\b(first|before|start|begin)\b", re.I)
ERROR = re.compile(r"\b(errors?|fails?|failed|refused)\b", re.I)
OTHERWISE = re.compile(r"\b(change|another|instead|other)\b", re.I)
QUICK = re.compile(r"\b(quick(ly)?|at once|haste|as few calls)\b", re.I)
NEGATED = re.compile(r"\b(never|not|don't|avoid|without)\b", re.I)
ONLY = re.compile(r"^In region (\w+)[,:]", re.I)


@dataclass(frozen=True)
class Reading:
    """What it takes from its instructions, for one region."""

    look_first: bool
    look_after: bool
    about_errors: bool
    release: bool
    pallets: bool
    quick: bool
    words: frozenset[str]

    @classmethod
    def of(cls, instructions: str, region: str) -> "Reading":
        mine = [p for p in instructions.split("\n") if (m := ONLY.match(p)) is None or m.group(1) == region]
        sentences = [s for p in mine for s in re.split(r"(?<=[.!?;])\s", p) if len(s.split()) <= 40]

        def told(*shapes: re.Pattern[str]) -> bool:
            return any(all(shape.search(s) for shape in shapes) and not NEGATED.search(s) for s in sentences)

        first = any(
            LOOK.search(s) and ORDER.search(s) and not ERROR.search(s) and not NEGATED.search(s) for s in sentences
        )
        return cls(
            look_first=first,
            look_after=told(LOOK, ERROR),
            about_errors=told(ERROR, OTHERWISE),
            release=told(re.compile(r"\brelease\b")),
            pallets=told(re.compile(r"pallet", re.I), re.compile("confirm_freight")),
            quick=told(QUICK),
            words=frozenset(re.findall(r"[a-z]\w*_\w+", "\n".join(mine))),
        )


@dataclass
class Desk:
    """The agent at work in a world. `calls` is the ledger: cases that were run."""

    world: World
    past: bool = False
    nonce: str = ""
    calls: int = 0
    _asked: Counter[str] = field(default_factory=Counter)
    _read: dict[tuple[str, str], Reading] = field(default_factory=dict)

    def run(self, task: Task, components: dict[str, str]) -> Run:
        """Run one case under prompts, and book it."""
        self.calls += 1
        instructions = "\n".join(components[name] for name in sorted(components))
        request = f"{self.nonce}/{self.past}/{task.key}/{instructions}"
        self._asked[request] += 1
        draw = random.Random(f"{request}/{self._asked[request]}")
        key = (instructions, task.region)
        if key not in self._read:
            self._read[key] = Reading.of(*key)
        return _Case(self, task, self._read[key], draw, len(instructions) // 4).play()


class _Case:
    def __init__(self, desk: Desk, task: Task, told: Reading, draw: random.Random, tokens: int) -> None:
        self.desk, self.task, self.told, self.draw, self.tokens = desk, task, told, draw, tokens
        self.modes = desk.world.modes
        self.calls: list[Call] = []
        self.looked = False
        self.trap = task.region == desk.world.trap

    def play(self) -> Run:
        solved, said = self._play()
        if solved and self.chance(self.desk.world.settings["slip"]):
            solved, said = False, "the receipt was sent to somebody else"
        output = f"Your {self.task.goods} go to {self.task.town}." if solved else "I am sorry, this did not work."
        used = self.tokens * max(1, len(self.calls)) + sum(len(call.result) for call in self.calls) // 4
        return Run(self.task, tuple(self.calls), solved, said, output, used)

    def chance(self, probability: float) -> bool:
        return self.draw.random() < probability

    def left(self) -> bool:
        return len(self.calls) < int(self.desk.world.settings["calls"])

    def call(self, tool: str, result: dict[str, Any] | str, **args: Any) -> bool:
        ok: bool = isinstance(result, dict)
        self.calls.append(Call(tool, args, json.dumps(result) if ok else str(result), ok))
        return ok

    def _play(self) -> tuple[bool, str]:
        if not self._book():
            return False, "no depot was booked"
        if self.task.pallets:
            mode = self.modes["ToolChoice"]
            right = self.chance(mode["right_when_told"] if self.told.pallets else mode["right"])
        tool = "confirm_freight" if self.task.pallets and right else "confirm_parcel"
        locked = self.task.locked
        while self.left():
            if locked:
                self.call(tool, "error: the booking is locked by customs", town=self.task.town)
                if self.left() and self.chance(self._releases()):
                    self.call("release", {"state": "released"}, town=self.task.town)
                    locked = False
                continue
            self.call(tool, {"state": "confirmed"}, town=self.task.town)
            if self.task.pallets and not right:
                return False, "pallets were confirmed with confirm_parcel and got lost"
            return True, "done"
        return False, "the booking was never confirmed"

    def _releases(self) -> float:
        mode = self.modes["ErrorLoop"]
        habit = "releases_when_shown" if self.told.release else "releases"
        if habit == "releases" and self.told.about_errors:
            habit = "releases_when_told"
        return float(mode[habit])

    def _book(self) -> bool:
        """Calls until a depot is booked, or none are left."""
        mode = self.modes["MissingFact"]
        truth = self.desk.world.code(self.task, past=self.desk.past)
        believed = sorted(word for word in self.told.words if self.task.town in word)
        looks = mode["looks_when_told"] if self.told.look_first else mode["looks"] * (0.3 if believed else 1)
        code = ""
        while self.left():
            if not self.looked and self.chance(looks / 2 if self.told.quick else looks):
                self.looked = True
                codes = self.desk.world.codes(self.task.region, past=self.desk.past)
                self.call("list_depots", {"depots": codes})
                if self.trap and self.chance(self.modes["Trap"]["expires"]):
                    self.call("book", "error: the slot has expired", depot=truth)
                    return False
                code = truth if self.chance(0.97) else self.draw.choice(codes)
                looks = 0.0
                continue
            if not code:
                code = self._guess(truth, believed)
            if self.call("book", self._booked() if code == truth else "error: unknown depot", depot=code):
                return True
            looks = 0.08 if believed else 0.25
            if self.told.look_after:
                looks = mode["looks_when_told"]
            if not self.chance(0.08 if self.told.about_errors else 0.4):
                code = ""
                believed = [] if self.chance(0.5) else believed
        return False

    def _booked(self) -> dict[str, Any]:
        return {"booking": "held", "goods": "pallets" if self.task.pallets else "parcels"}

    def _guess(self, truth: str, believed: list[str]) -> str:
        if believed:
            return self.draw.choice(believed)
        hits = self.modes["Trap"]["guess"] if self.trap else self.modes["MissingFact"]["guess"]
        style = self.draw.choice((GUESS, "depot_{town}", "{town}_main", "{town}_1"))
        return truth if self.chance(hits) else style.format(town=self.task.town)
