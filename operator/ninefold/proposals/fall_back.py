"""Fall back: where no known decision wins, say what to do instead of trying on.

Two decision points have no better choice that could be named. A rare error after which everything loses
(`NovelScenario`): the agent is told to stop there and to hand over. And an empty result after which names are invented
(`HallucinationTrigger` after an empty result): it is told to say so or to ask. The text goes into the fallback that Git
holds, if there is one, else into the system prompt, for an agent reads no component that it does not know.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.api.findings import Pattern
from ninefold.proposals.lookup import tool_name
from ninefold.proposals.protocol import Evidence, Proposal, conditions, receipt_for
from ninefold.proposals.quoting import is_identifier, tool_of

MAX_FALLBACKS = 2
EMPTY = "→ empty"
"""How a decision point says that a call went well and found nothing."""


class FallBack:
    """Proposes a `Fallback` for the costliest points without a better choice, at most two."""

    name = "fall-back"
    kinds: frozenset[EditKind] = frozenset({"Fallback"})

    async def propose(self, evidence: Evidence) -> Proposal:
        found = sorted((p for p in evidence.report.patterns if _text(p)), key=lambda p: -p.predicted_gain)
        edits = [_edit(p, when, evidence) for p in found[:MAX_FALLBACKS] for when in conditions(p, evidence)]
        return Proposal(edits)


def _text(pattern: Pattern) -> str:
    """The fallback for a pattern; empty where it is none of the two cases."""
    point = pattern.decision.point
    if pattern.kind == "NovelScenario":
        return (
            f"When a call of {tool_name(pattern)} ends in an error that a changed call does not mend, "
            "say what was tried and what is missing, and hand the case over."
        )
    if pattern.kind == "HallucinationTrigger" and EMPTY in point:
        searched = tool_of(point.removeprefix("after ")) or "a tool"
        return (
            f"When a call of {searched} finds nothing, say so or ask; "
            "use only names and numbers that a message or a result has shown."
        )
    return ""


def _edit(pattern: Pattern, when: dict[str, str] | None, evidence: Evidence) -> Edit:
    text = _text(pattern)
    return Edit(
        component=_component(pattern, evidence),
        kind="Fallback",
        at=pattern.decision.point[:256],
        when=when,
        text=text,
        receipt=receipt_for(pattern, text, "deterministic"),
    )


def _component(pattern: Pattern, evidence: Evidence) -> str:
    """The tool's own fallback, else the first that Git has, else the system prompt."""
    fallbacks = [name for name in evidence.stable.components if name.startswith("fallback.")]
    tool = pattern.decision.tool
    own = f"fallback.{tool}" if tool and is_identifier(tool) else ""
    return own if own in fallbacks else next(iter(fallbacks), "system")
