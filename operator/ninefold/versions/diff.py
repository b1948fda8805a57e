"""The difference of two versions for people: a unified diff per component, with the evidence under it."""

import difflib
from collections.abc import Iterator

from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.versions.content import edit_key, rendered

Condition = tuple[tuple[str, str], ...]
_ALWAYS: Condition = ()


def diff(old: VersionContent, new: VersionContent) -> str:
    """What changes for an agent that goes from `old` to `new`; empty when nothing does.

    First each component as every case reads it, then what is added under each condition. Under each part stand the
    edits that are new in it: kind, decision point, pattern, predicted gain, tokens and trace ids.
    """
    known = {edit_key(edit) for edit in old.edits}
    lines: list[str] = []
    for component, condition in _parts(old, new):
        before, after = _text(old, component, condition), _text(new, component, condition)
        if before == after:
            continue
        where = " where " + ", ".join(f"{key} = {value}" for key, value in condition) if condition else ""
        lines.append(f"=== {component}{where}")
        lines += list(difflib.unified_diff(before.splitlines(), after.splitlines(), "old", "new", lineterm="", n=2))
        for edit in new.edits:
            if edit.component == component and _condition(edit) == condition and edit_key(edit) not in known:
                lines += _evidence(edit)
        lines.append("")
    return "\n".join(lines)


def _condition(edit: Edit) -> Condition:
    return tuple(sorted((edit.when or {}).items()))


def _parts(old: VersionContent, new: VersionContent) -> Iterator[tuple[str, Condition]]:
    edits = [*old.edits, *new.edits]
    for component in dict.fromkeys([*old.components, *new.components, *(e.component for e in edits)]):
        for condition in dict.fromkeys([_ALWAYS, *(_condition(e) for e in edits if e.component == component)]):
            yield component, condition


def _text(content: VersionContent, component: str, condition: Condition) -> str:
    """The component as every case reads it, or only what the condition adds to it."""
    if condition == _ALWAYS:
        return rendered(content).get(component, "")
    added = [e.text for e in content.edits if e.component == component and _condition(e) == condition]
    return "\n\n".join(added)


def _evidence(edit: Edit) -> Iterator[str]:
    yield f"# {edit.kind}" + (f" at {edit.at}" if edit.at else "")
    receipt = edit.receipt
    if receipt is None:
        return
    if receipt.summary or receipt.pattern:
        yield f"#   why: {receipt.summary or ''}" + (f" (pattern {receipt.pattern})" if receipt.pattern else "")
    figures = []
    if receipt.predicted_gain is not None:
        figures.append(f"predicted gain {receipt.predicted_gain * 100:+.1f} pp")
    if receipt.tokens is not None:
        figures.append(f"{receipt.tokens} tokens")
    if receipt.proposer:
        figures.append(f"written by {receipt.proposer}")
    if figures:
        yield f"#   {', '.join(figures)}"
    if receipt.evidence:
        yield f"#   traces: {', '.join(receipt.evidence)}"
