"""Components and edits in, prompt texts out.

An edit never rewrites: it adds one paragraph to its component, and only where its condition holds. So an edit can be
left out again without a trace, its effect can be measured, and the order of edits is the order of paragraphs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

PARAGRAPH = "\n\n"
CREATED_BY_AN_EDIT = ("context.", "fallback.")
"""Components that need not be in the baseline. An edit of `system` or `tool.<name>` needs the text that Git owns."""


def metadata_text(value: object) -> str:
    """The text under which a metadata value is compared: `"7"` for 7 and 7.0, `"true"` for True, JSON for the rest.

    JSON knows one kind of number and OTLP two, so the same value reaches analysis, replay and the agent as int or
    float; a condition must mean the same to all three.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def applies(edit: Mapping[str, Any], metadata: Mapping[str, object] | None) -> bool:
    """True when every key of the edit's `when` is in the metadata with an equal value (`metadata_text`).

    An edit without `when` always applies. Without metadata (None, as in Mount mode) no other edit does.
    """
    when = edit.get("when") or {}
    if not when:
        return True
    if metadata is None:
        return False
    return all(key in metadata and metadata_text(metadata[key]) == wanted for key, wanted in when.items())


def can_be_created(component: str) -> bool:
    """True for components that an edit may bring along: `context.<name>` and `fallback.<name>`."""
    return component.startswith(CREATED_BY_AN_EDIT)


def render(
    components: Mapping[str, str],
    edits: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, object] | None = None,
) -> dict[str, str]:
    """The prompt texts for one case.

    components: component name -> text, as Git owns it.
    edits: mappings with `component`, `text` and, if conditional, `when` (metadata key -> value); other keys are left
        aside. They are applied in order.
    metadata: the case's metadata. None: only unconditional edits apply, as under `delivery.mode: Mount`.

    Returns component name -> text: baseline components first, in their order, then those that edits created.
    Raises ValueError when an edit changes a `system` or `tool.<name>` that is not among the components, whether or
    not its condition holds: a version is either good for every case or for none.
    """
    texts = dict(components)
    for place, edit in enumerate(edits):
        name = edit["component"]
        if name not in components and not can_be_created(name):
            raise ValueError(
                f"edits[{place}] changes the component {name}, which the baseline does not have: "
                f"add it to the baseline, or leave the edit out"
            )
        if applies(edit, metadata):
            texts[name] = texts[name] + PARAGRAPH + edit["text"] if name in texts else edit["text"]
    return texts
