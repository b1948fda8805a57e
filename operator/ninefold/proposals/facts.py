"""Inject mined facts: names that successful traces got from somewhere and that failing ones lacked.

One edit per value of the intent key, because what helps one kind of case misleads another; its condition is the
metadata under which the facts hold. The text is phrased as reference data: names under the action that shows them.
Served facts of which today's traces show few any more (things are renamed) are replaced: the new go in, the old go out.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ninefold.api.edits import MAX_EDITS, Edit, EditKind
from ninefold.api.findings import Fact, Pattern
from ninefold.api.inputs import VersionContent
from ninefold.client import applies
from ninefold.proposals.protocol import Evidence, Proposal, receipt_for
from ninefold.proposals.quoting import is_identifier, names
from ninefold.versions import edit_hash, edit_key, estimate_tokens, extended, plain_edit, rendered

INTRODUCTION = "Reference data: names that results of earlier successful work have shown. Use them exactly as written."
WINDOW_SHARE = 0.6
"""Of the context window for prompt and facts together; the rest is for the case itself."""
DEFAULT_ROOM = 2_000
TOTAL_ROOM = 60_000
"""Tokens of all strata together, so that the version still fits into a ConfigMap."""

STILL_KNOWN = 0.5
"""Share of a served edit's names that today's traces must still show, else it is out of date and gives way."""
_SERVED = re.compile(r"^- ([^:\n]+): (.+)$", re.M)

Condition = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Found:
    pattern: Pattern
    fact: Fact


class InjectFacts:
    """Proposes one `InjectContext` per stratum that has facts which its prompt does not hold yet."""

    name = "inject-facts"
    kinds: frozenset[EditKind] = frozenset({"InjectContext"})

    async def propose(self, evidence: Evidence) -> Proposal:
        strata = _by_condition(evidence.report.patterns)
        refused: list[str] = []
        conditional = [condition for condition in strata if condition]
        if evidence.delivery == "Mount" and len(conditional) > 1:
            keys = ", ".join(sorted({key for condition in conditional for key, _ in condition if is_identifier(key)}))
            refused.append(
                f"Facts for {len(conditional)} values of {keys or 'the intent key'} were left out: each holds only "
                f"for its own cases, and delivery.mode Mount cannot carry a condition. Set delivery.mode to Client."
            )
            strata = {condition: found for condition, found in strata.items() if not condition}
        room_for = max(0, MAX_EDITS - len(evidence.stable.edits))
        ranked = sorted(strata.items(), key=lambda item: (-sum(f.fact.tasks for f in item[1]), item[0]))
        if len(ranked) > room_for:
            refused.append(
                f"Facts for {len(ranked) - room_for} of {len(ranked)} strata were left out: "
                f"a version carries at most {MAX_EDITS} edits. Those with most support were taken."
            )
        edits, removes = [], list[str]()
        for condition, found in ranked[:room_for]:
            gone = _outdated(evidence, dict(condition), found)
            stable = extended(evidence.stable, (), gone)
            if (edit := _edit(condition, found, replace(evidence, stable=stable), len(ranked))) is not None:
                edits.append(edit)
                removes += gone
        return Proposal(edits, refused, removes=removes)


def _outdated(evidence: Evidence, when: dict[str, str], found: Sequence[_Found]) -> list[str]:
    """Served facts that today's contradict: same condition and source, but of their names today's traces know few."""
    today: dict[str, set[str]] = defaultdict(set)
    for one in found:
        today[names(one.fact.source, 60)] |= set(one.fact.tokens)
    from_git = {edit_key(edit) for edit in evidence.from_git}
    gone = []
    for edit in evidence.stable.edits:
        if edit.kind != "InjectContext" or (edit.when or {}) != when or edit_key(edit) in from_git:
            continue
        told = [(source, tokens.split(", ")) for source, tokens in _SERVED.findall(edit.text) if source in today]
        known = sum(len(today[source] & set(tokens)) for source, tokens in told)
        if told and known < STILL_KNOWN * sum(len(tokens) for _, tokens in told):
            gone.append(edit_hash(edit))
    return gone


def _by_condition(patterns: Sequence[Pattern]) -> dict[Condition, list[_Found]]:
    strata: dict[Condition, list[_Found]] = defaultdict(list)
    for pattern in patterns:
        for fact in pattern.facts:
            strata[tuple(sorted(fact.when.items()))].append(_Found(pattern, fact))
    return strata


def _edit(condition: Condition, found: Sequence[_Found], evidence: Evidence, strata: int) -> Edit | None:
    when = dict(condition)
    text = facts_text([f.fact for f in found], _already_injected(evidence.stable, when), _room(evidence, when, strata))
    if text is None:
        return None
    # A single stratum under Mount: every case is of this kind, so the condition says nothing and can be left out.
    shown = None if evidence.delivery == "Mount" or not when else when
    pattern = max((f.pattern for f in found), key=lambda p: p.predicted_gain)
    support = sum(f.fact.tasks for f in found if f.pattern.id == pattern.id)
    share = support / max(1, sum(fact.tasks for fact in pattern.facts))
    return Edit(
        component=_component(evidence.stable),
        kind="InjectContext",
        at=pattern.decision.point[:256],
        when=shown,
        text=text,
        receipt=receipt_for(pattern, text, "deterministic", share * _covered(pattern)),
    )


def _covered(pattern: Pattern) -> float:
    """Share of the pattern that facts can answer: where they do not name all that is needed, it must be looked up."""
    return 1.0 if pattern.facts_cover is None else pattern.facts_cover


def facts_text(facts: Sequence[Fact], known: frozenset[str], room: int) -> str | None:
    """Facts as a paragraph of at most `room` tokens; None when no name is left to tell.

    Names that are `known`, or that are not shaped like identifiers, are left out; the facts that most tasks support
    come first, and what does not fit is cut.
    """
    by_source: dict[str, dict[str, None]] = defaultdict(dict)
    for fact in sorted(facts, key=lambda f: (-f.tasks, f.source)):
        tokens = [token for token in fact.tokens if token not in known and is_identifier(token)]
        by_source[names(fact.source, 60)].update(dict.fromkeys(tokens))
    lines = [INTRODUCTION]
    for source, found in by_source.items():
        taken: list[str] = []
        for token in found:
            line = _line(source, [*taken, token])
            if estimate_tokens("\n".join([*lines, line])) > room:
                break
            taken.append(token)
        if taken:
            lines.append(_line(source, taken))
    return "\n".join(lines) if len(lines) > 1 else None


def _line(source: str, tokens: Sequence[str]) -> str:
    return f"- {source}: {', '.join(tokens)}" if source else f"- {', '.join(tokens)}"


def _already_injected(stable: VersionContent, when: dict[str, str]) -> frozenset[str]:
    """Names that the stable version's own facts tell under this condition. Other text does not count: that a prompt
    says `name` somewhere does not tell that a thing has a field of this name."""
    texts = [e.text for e in stable.edits if e.kind == "InjectContext" and applies(plain_edit(e), when)]
    return frozenset(word.strip(",") for text in texts for word in text.split())


def _room(evidence: Evidence, when: dict[str, str], strata: int) -> int:
    room = DEFAULT_ROOM
    if evidence.context_window is not None:
        prompt = sum(estimate_tokens(text) for text in rendered(evidence.stable, when).values())
        room = int(WINDOW_SHARE * evidence.context_window) - prompt
    return min(room, TOTAL_ROOM // max(1, strata))


def _component(stable: VersionContent) -> str:
    """A context component that Git has, for the agent then reads it; else the one that every agent reads."""
    contexts = [name for name in stable.components if name.startswith("context.")]
    if "context.facts" in contexts:
        return "context.facts"
    return contexts[0] if contexts else "system"
