"""Look before you act: where traces that looked something up first did better than those that acted at once.

The contrast comes from analysis: at one decision point (the first call, or after an error) another action wins within
the same tasks. The edit names that action and its place in one short positive sentence, because models follow
"before …, first …" and tend to do what a prohibition names.
"""

from collections.abc import Sequence

from ninefold.api.artifacts import Pattern
from ninefold.api.edits import Edit, EditKind
from ninefold.proposals.protocol import Evidence, Proposal, receipt_for
from ninefold.proposals.quoting import action_shape, is_identifier

MAX_EXAMPLES = 2
FIRST, AFTER_ERROR = "first", "after error"
"""How the decision points of analysis begin."""


class LookBeforeActing:
    """Proposes at most one `Refine` of the system prompt per place: before the first call, and after an error."""

    name = "look-before-acting"
    kinds: frozenset[EditKind] = frozenset({"Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        edits = []
        for place in (FIRST, AFTER_ERROR):
            ranked = sorted(
                (p for p in evidence.report.patterns if _is_about(p, place)), key=lambda p: -p.predicted_gain
            )
            examples = list(dict.fromkeys(filter(None, (better_action(p) for p in ranked))))[:MAX_EXAMPLES]
            if examples:
                edits.append(_edit(place, ranked[0], examples))
        return Proposal(edits)


def _is_about(pattern: Pattern, place: str) -> bool:
    return pattern.decision.point.startswith(place) and pattern.decision.better is not None


def better_action(pattern: Pattern) -> str:
    """The better choice in a few words; empty when the traces show none that can be named."""
    decision = pattern.decision
    return action_shape(decision.better_example or "", decision.better or "")


def tool_name(pattern: Pattern) -> str:
    """`find_room`, or `a tool` when its name is not shaped like one."""
    tool = pattern.decision.tool
    return tool if tool and is_identifier(tool) else "a tool"


def _edit(place: str, pattern: Pattern, examples: Sequence[str]) -> Edit:
    tool, look_up = tool_name(pattern), " or ".join(f"`{example}`" for example in examples)
    if place == FIRST:
        text = f"Before the first call of {tool} that answers the question, first run a look-up such as {look_up}."
    else:
        text = f"After a call of {tool} has failed, first run a look-up such as {look_up} before the next attempt."
    return Edit(
        component="system",
        kind="Refine",
        at=pattern.decision.point[:256],
        text=text,
        receipt=receipt_for(pattern, text, "deterministic"),
    )
