"""Negative controls: arms that change the request and cannot help. If one of them "wins", the harness is at fault.

- **Null edit**: the paragraph `---`, unconditional. The request is another one (so a cached or lucky answer of the
  baseline is not simply repeated), it goes through the same renderer, and a Markdown rule that nothing follows tells a
  model nothing. Whitespace would not do: servers strip it, and the request might be the same again.
- **Wrong key**: the candidate's facts, each under a condition that is not its own. If they help there, what helped
  was not that the facts are true.
"""

from collections import defaultdict
from collections.abc import Sequence

from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent

NULL_TEXT = "---"
Condition = tuple[tuple[str, str], ...]


def null_edit(content: VersionContent) -> Edit:
    """The null edit for this version: of `system` if there is one, else of the first component by name."""
    component = "system" if "system" in content.components else min(content.components)
    return Edit(component=component, kind="Refine", text=NULL_TEXT)


def wrong_key(edits: Sequence[Edit]) -> list[Edit]:
    """The conditional edits under exchanged conditions; empty when there are not two to exchange.

    Left out: unconditional edits, and texts that stand under several conditions, for those are advice rather than
    facts and may well help anywhere. Conditions are exchanged among those with the same keys, each for the one half the
    sorted list away: deterministic, never its own, and rarely a sibling of a similar name.
    """
    conditions_of: dict[tuple[str, str], set[Condition]] = defaultdict(set)
    for edit in edits:
        if edit.when:
            conditions_of[edit.component, edit.text].add(_condition(edit))
    facts = [edit for edit in edits if edit.when and len(conditions_of[edit.component, edit.text]) == 1]
    exchanged = _exchange({_condition(edit) for edit in facts})
    return [
        edit.model_copy(update={"when": dict(exchanged[_condition(edit)]), "receipt": None})
        for edit in facts
        if _condition(edit) in exchanged
    ]


def _condition(edit: Edit) -> Condition:
    return tuple(sorted((edit.when or {}).items()))


def _exchange(conditions: set[Condition]) -> dict[Condition, Condition]:
    by_keys: dict[tuple[str, ...], list[Condition]] = defaultdict(list)
    for condition in sorted(conditions):
        by_keys[tuple(key for key, _ in condition)].append(condition)
    return {
        condition: group[(place + len(group) // 2) % len(group)]
        for group in by_keys.values()
        if len(group) > 1
        for place, condition in enumerate(group)
    }
