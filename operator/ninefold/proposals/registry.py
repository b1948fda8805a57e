"""Which proposers there are: those of the house in order of cost, then those that other packages bring along.

A package names its classes in the entry point group `ninefold.proposers`; each is made without arguments. One that
cannot be loaded is told as a refused proposal and does not stop the others.
"""

from importlib.metadata import entry_points

from ninefold.api.edits import EditKind
from ninefold.proposals.choose_tool import ChooseTool
from ninefold.proposals.facts import InjectFacts
from ninefold.proposals.fall_back import FallBack
from ninefold.proposals.lookup import LookBeforeActing
from ninefold.proposals.protocol import Evidence, Proposal, Proposer
from ninefold.proposals.prune import Prune
from ninefold.proposals.show_example import ShowExample
from ninefold.proposals.stop_repeating import StopRepeating

GROUP = "ninefold.proposers"
HOUSE: tuple[type[Proposer], ...] = (
    InjectFacts, LookBeforeActing, StopRepeating, ChooseTool, FallBack, ShowExample, Prune,
)  # fmt: skip
EVERY_KIND: frozenset[EditKind] = frozenset(("Refine", "InjectContext", "Tool", "Fallback", "Example"))


def deterministic() -> list[Proposer]:
    """All proposers that call no model of ours, in the order in which they are asked."""
    found: list[Proposer] = [one() for one in HOUSE]
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            found.append(point.load()())
        except Exception as error:
            found.append(Unloadable(point.name, type(error).__name__))
    return found


class Unloadable:
    """Stands for a proposer that could not be made, and says so."""

    kinds = EVERY_KIND

    def __init__(self, name: str, error: str) -> None:
        self.name = "unloadable"
        self._sentence = f"The proposer {name!r} of the entry point group {GROUP} could not be made: {error}."

    async def propose(self, evidence: Evidence) -> Proposal:
        return Proposal(refused=[self._sentence])
