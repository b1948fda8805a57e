"""Patterns -> edits -> candidates. Sees the analysis bucket alone, never a held-out case.

`protocol.Proposer` is what a proposer is; `loop.propose` asks them and makes the `ProposalSet`.
"""

from ninefold.proposals.choose_tool import ChooseTool
from ninefold.proposals.facts import InjectFacts
from ninefold.proposals.fall_back import FallBack
from ninefold.proposals.lookup import LookBeforeActing
from ninefold.proposals.loop import joined, propose
from ninefold.proposals.protocol import Evidence, Proposal, Proposer, receipt_for
from ninefold.proposals.prune import Prune
from ninefold.proposals.reflection import Reflect
from ninefold.proposals.registry import deterministic
from ninefold.proposals.show_example import ShowExample
from ninefold.proposals.stop_repeating import StopRepeating

__all__ = [
    "ChooseTool",
    "Evidence",
    "FallBack",
    "InjectFacts",
    "LookBeforeActing",
    "Proposal",
    "Proposer",
    "Prune",
    "Reflect",
    "ShowExample",
    "StopRepeating",
    "deterministic",
    "joined",
    "propose",
    "receipt_for",
]
