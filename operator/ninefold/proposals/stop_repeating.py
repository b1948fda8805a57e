"""Stop repeating an error: traces that meet the same error again and again lose, whatever the error is.

The edit says what to do instead (change the call by what the message says, then change the way), not what to avoid,
and holds for every error: the error's own words come from a trace and stay there. Where the traces that got out of the
loop called another tool, the edit names it.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.api.findings import Pattern
from ninefold.proposals.lookup import best_look_up, other_tool, tool_name
from ninefold.proposals.protocol import Evidence, Proposal, receipt_for

MAX_LOOPS = 3


class StopRepeating:
    """Proposes a `Refine` of the system prompt for the costliest `ErrorLoop` of each tool, at most three."""

    name = "stop-repeating"
    kinds: frozenset[EditKind] = frozenset({"Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        loops = sorted((p for p in evidence.report.patterns if p.kind == "ErrorLoop"), key=lambda p: -p.predicted_gain)
        worst: dict[str, Pattern] = {}
        for loop in loops:
            worst.setdefault(tool_name(loop), loop)
        return Proposal([_edit(loop, best_look_up(evidence)) for loop in list(worst.values())[:MAX_LOOPS]])


def _edit(loop: Pattern, look_up: str | None) -> Edit:
    tool, way_out = tool_name(loop), other_tool(loop)
    if way_out is not None:
        text = (
            f"When a call of {tool} fails, read the error and change the call by what it says; "
            f"call {way_out} before the next attempt where the error is about the state of things."
        )
    else:
        way = f"first run a look-up such as `{look_up}`" if look_up else "take another way"
        text = (
            f"When a call of {tool} fails, read the error and change the call by what it says. "
            f"When the same error comes a second time, {way}."
        )
    receipt = receipt_for(loop, text, "deterministic")
    return Edit(component="system", kind="Refine", at=loop.decision.point[:256], text=text, receipt=receipt)
