"""Choose the right tool: where another tool in the same place wins, say which, and what tells when it is right.

The contrast comes from analysis (`ToolSelectionBias`), and nothing else makes this proposer speak: a tool is edited
only where attribution says so. The sentence goes into the description of the tool that wins, for a model reads
descriptions when it chooses; into that of the other, or into the system prompt, where Git holds no description of it.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.api.findings import Cue, Pattern
from ninefold.proposals.protocol import Evidence, Proposal, conditions, receipt_for
from ninefold.proposals.quoting import is_identifier, tool_of

MAX_CONFUSIONS = 3


class ChooseTool:
    """Proposes a `Tool` edit (a `Refine` of the system prompt without a description) for the costliest confusions."""

    name = "choose-tool"
    kinds: frozenset[EditKind] = frozenset({"Tool", "Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        found = [p for p in evidence.report.patterns if p.kind == "ToolSelectionBias" and _tools(p) is not None]
        found.sort(key=lambda p: -p.predicted_gain)
        edits, refused = [], []
        for pattern in found[:MAX_CONFUSIONS]:
            whens = conditions(pattern, evidence)
            if not whens:
                refused.append(
                    "A rule about the choice of a tool was left out: it holds only for some values of the intent key, "
                    "and delivery.mode Mount cannot carry a condition. Set delivery.mode to Client."
                )
            edits += [_edit(pattern, when, evidence) for when in whens]
        return Proposal(edits, refused)


def _tools(pattern: Pattern) -> tuple[str, str] | None:
    """(losing, better) tool, when both are shaped like tools and differ."""
    losing, better = tool_of(pattern.decision.taken), tool_of(pattern.decision.better)
    return (losing, better) if losing and better and losing != better else None


def _edit(pattern: Pattern, when: dict[str, str] | None, evidence: Evidence) -> Edit:
    losing, better = _tools(pattern) or ("", "")
    text = f"{_when(pattern)}, call {better} rather than {losing}."
    described = (name for name in (f"tool.{better}", f"tool.{losing}") if name in evidence.stable.components)
    component = next(described, "system")
    return Edit(
        component=component,
        kind="Refine" if component == "system" else "Tool",
        at=pattern.decision.point[:256],
        when=when,
        text=text,
        receipt=receipt_for(pattern, text, "deterministic"),
    )


def _when(pattern: Pattern) -> str:
    cue, point = pattern.decision.cue, pattern.decision.point
    if cue is not None and is_identifier(cue.value):
        return _shown(cue)
    if point == "first call":
        return "At the first call"
    before = tool_of(point.removeprefix("after ")) if point.startswith("after ") else None
    return f"After a call of {before}" if before else "Where either of the two could be called"


def _shown(cue: Cue) -> str:
    """The cue as a clause. Names and value are words that many tasks share, and shaped like identifiers."""
    if cue.tool is None or not is_identifier(cue.tool):
        return f"When the request says {cue.value}"
    if cue.name and is_identifier(cue.name):
        return f"When a result of {cue.tool} shows {cue.name} {cue.value}"
    return f"When a result of {cue.tool} says {cue.value}"
