"""Show an example: one good decision, at the place where it is missing.

An example says more than a rule to some models, and costs tokens with all. It is the shape of a call that several
tasks made with success (`Decision.better_example`): the words that its signature shares, and none of its particulars,
so no user's data. The policy must allow the kind `Example`; it is not among the defaults.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.api.findings import Pattern
from ninefold.proposals.protocol import Evidence, Proposal, conditions, receipt_for
from ninefold.proposals.quoting import action_shape, tool_of

MAX_EXAMPLES = 2


class ShowExample:
    """Proposes an `Example` in the system prompt for the costliest decisions of which one is recorded, at most two."""

    name = "show-example"
    kinds: frozenset[EditKind] = frozenset({"Example"})

    async def propose(self, evidence: Evidence) -> Proposal:
        texts: dict[str, Pattern] = {}
        for pattern in sorted(evidence.report.patterns, key=lambda p: -p.predicted_gain):
            if text := _text(pattern):
                texts.setdefault(text, pattern)
        edits = [
            Edit(
                component="system",
                kind="Example",
                at=pattern.decision.point[:256],
                when=when,
                text=text,
                receipt=receipt_for(pattern, text, "deterministic"),
            )
            for text, pattern in list(texts.items())[:MAX_EXAMPLES]
            for when in conditions(pattern, evidence)
        ]
        return Proposal(edits)


def _text(pattern: Pattern) -> str:
    """The example as a sentence; empty where none is recorded or its place cannot be named."""
    decision = pattern.decision
    shape = action_shape(decision.better_example or "", decision.better or "")
    place = _place(decision.point)
    if not shape or not place:
        return ""
    tool = tool_of(decision.better)
    call = f"{tool}: {shape}" if tool and tool != shape else shape
    return f"Example of a good step {place}: `{call}`, then go on with what it shows."


def _place(point: str) -> str:
    if point == "first call":
        return "at the first call"
    if point == "after the first failed call" or point.startswith("after error "):
        return "after a failed call"
    return ""
