"""Stop repeating an error: traces that meet the same error again and again lose, whatever the error is.

The edit says what to do instead (change the call by what the message says, then change the way), not what to avoid,
and holds for every error: the error's own words come from a trace and stay there.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.proposals.lookup import best_look_up, tool_name
from ninefold.proposals.protocol import Evidence, Proposal, receipt_for


class StopRepeating:
    """Proposes one `Refine` of the system prompt for the costliest `ErrorLoop`."""

    name = "stop-repeating"
    kinds: frozenset[EditKind] = frozenset({"Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        loops = [p for p in evidence.report.patterns if p.kind == "ErrorLoop"]
        if not loops:
            return Proposal()
        worst = max(loops, key=lambda p: p.predicted_gain)
        tool, look_up = tool_name(worst), best_look_up(evidence)
        way = f"first run a look-up such as `{look_up}`" if look_up else "take another way"
        text = (
            f"When a call of {tool} fails, read the error and change the call by what it says. "
            f"When the same error comes a second time, {way}."
        )
        receipt = receipt_for(worst, text, "deterministic")
        return Proposal(
            [Edit(component="system", kind="Refine", at=worst.decision.point[:256], text=text, receipt=receipt)]
        )
