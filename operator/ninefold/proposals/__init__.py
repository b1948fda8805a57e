"""Patterns -> edits -> candidates. Sees the analysis bucket alone, never a held-out case.

`protocol.Proposer` is what a proposer is; `loop.propose` asks them and makes the `ProposalSet`.
"""

from ninefold.proposals.choose_tool import ChooseTool
from ninefold.proposals.facts import InjectFacts
from ninefold.proposals.lookup import LookBeforeActing
from ninefold.proposals.loop import propose
from ninefold.proposals.protocol import Evidence, Proposal, Proposer, receipt_for
from ninefold.proposals.prune import Prune
from ninefold.proposals.reflection import Reflect
from ninefold.proposals.stop_repeating import StopRepeating

__all__ = [
    "ChooseTool",
    "Evidence",
    "InjectFacts",
    "LookBeforeActing",
    "Proposal",
    "Proposer",
    "Prune",
    "Reflect",
    "StopRepeating",
    "propose",
    "receipt_for",
]
