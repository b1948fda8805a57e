"""Look before you act: where traces that looked something up first did better than those that acted at once.

The contrast comes from analysis (`ContextGap`): at the first call, or after a failed one, looking something up wins
within the same tasks. The edit names the look-up and its place in one short positive sentence, because models follow
"before …, first …" and tend to do what a prohibition names.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ninefold.api.edits import Edit, EditKind
from ninefold.api.findings import Pattern
from ninefold.proposals.protocol import Evidence, Proposal, receipt_for
from ninefold.proposals.quoting import action_shape, is_identifier, plain_words, tool_of

MAX_EXAMPLES = 2
PLACES = ("first", "after")
"""How the decision points begin at which a look-up can be missing: `first call`, `after the first failed call`."""
COMMON = 0.5
"""Share of the strata from which on a word of their sources belongs to the tool's language and to no stratum."""


class LookBeforeActing:
    """Proposes at most one `Refine` of the system prompt per place: before the first call, and after a failed one."""

    name = "look-before-acting"
    kinds: frozenset[EditKind] = frozenset({"Refine"})

    async def propose(self, evidence: Evidence) -> Proposal:
        edits = []
        for place in PLACES:
            gaps = _gaps(evidence.report.patterns, place)
            examples = look_ups(gaps, evidence.report.patterns)
            if examples:
                edits.append(_edit(place, gaps[0], examples))
        return Proposal(edits)


def _gaps(patterns: Iterable[Pattern], place: str = "") -> list[Pattern]:
    found = [p for p in patterns if p.kind == "ContextGap" and p.decision.better and p.decision.point.startswith(place)]
    return sorted(found, key=lambda p: -p.predicted_gain)


def look_ups(gaps: Sequence[Pattern], patterns: Sequence[Pattern]) -> list[str]:
    """The look-ups that win in these gaps, each in a few words, best first; at most two.

    Words are shown that the action's signature has, or that stand in the sources of facts of most strata. A look-up
    with a tool of its own is called by the tool's name: `list_rooms`.
    """
    common = _common_words(patterns)
    shapes = (
        other_tool(p) or action_shape(p.decision.better_example or "", f"{p.decision.better} {common}") for p in gaps
    )
    return list(dict.fromkeys(shape for shape in shapes if shape))[:MAX_EXAMPLES]


def best_look_up(evidence: Evidence) -> str | None:
    """The look-up that wins in the costliest gap, whatever its place."""
    return next(iter(look_ups(_gaps(evidence.report.patterns), evidence.report.patterns)), None)


def _common_words(patterns: Iterable[Pattern]) -> str:
    strata: defaultdict[str, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    every = set()
    for fact in (fact for pattern in patterns for fact in pattern.facts):
        condition = tuple(sorted(fact.when.items()))
        every.add(condition)
        for word in plain_words(fact.source):
            strata[word].add(condition)
    return " ".join(word for word, own in strata.items() if len(own) >= max(2, COMMON * len(every)))


def tool_name(pattern: Pattern) -> str:
    """`find_room`, or `a tool` when its name is not shaped like one."""
    tool = pattern.decision.tool
    return tool if tool and is_identifier(tool) else "a tool"


def other_tool(pattern: Pattern) -> str | None:
    """The tool of the better choice, when it is another one than that of the losing choice."""
    better, taken = tool_of(pattern.decision.better), tool_of(pattern.decision.taken)
    return better if taken and better != taken else None


def _edit(place: str, pattern: Pattern, examples: Sequence[str]) -> Edit:
    tool, look_up = tool_name(pattern), " or ".join(f"`{example}`" for example in examples)
    if place == "first":
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
