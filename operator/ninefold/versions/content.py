"""The content of a version: its hash, its rendering, its size.

The hash covers what an agent can come to read, the component texts and the ordered edits, and nothing else: receipts
grow as evidence comes in, and the reader's note `at` may be reworded, without making another version.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ninefold.api.artifacts import canonical, sha256
from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.client import can_be_created, render
from ninefold.versions.errors import ConditionalEdit, PromptTooLarge, UnknownComponent

HASH_DIGITS = 10
MAX_BYTES = 400 * 1024
"""Of a ConfigMap's data. etcd refuses objects above 1.5 MiB and the API server ConfigMaps above 1 MiB; the pointer
holds every text twice (plain keys, and the texts that edits start from), later also a canary's."""

EditKey = tuple[str, str, tuple[tuple[str, str], ...], str]


def edit_key(edit: Edit) -> EditKey:
    """What makes two edits the same: component, kind, condition and text. An empty condition is none."""
    return edit.component, edit.kind, tuple(sorted((edit.when or {}).items())), edit.text


def plain_edit(edit: Edit) -> dict[str, Any]:
    """An edit as agents get it and as the hash covers it: without receipt and without the reader's note."""
    plain: dict[str, Any] = {"component": edit.component, "kind": edit.kind, "text": edit.text}
    if edit.when:
        plain["when"] = dict(edit.when)
    return plain


def edit_hash(edit: Edit) -> str:
    """Ten hex digits that name an edit: the SHA-256 over what the version's hash covers of it."""
    return sha256(canonical(plain_edit(edit)))[:HASH_DIGITS]


def extended(stable: VersionContent, edits: Sequence[Edit], removes: Collection[str] = ()) -> VersionContent:
    """The stable version with further edits, and without those whose `edit_hash` is in `removes`."""
    kept = [edit for edit in stable.edits if not removes or edit_hash(edit) not in removes]
    return VersionContent(components=stable.components, edits=[*kept, *edits])


def content_hash(content: VersionContent) -> str:
    """First ten hex digits of the SHA-256 over the canonical components and edits, in order, without receipts."""
    plain = {"components": content.components, "edits": [plain_edit(e) for e in content.edits]}
    return sha256(canonical(plain))[:HASH_DIGITS]


def rendered(content: VersionContent, metadata: Mapping[str, object] | None = None) -> dict[str, str]:
    """The texts that a case with this metadata gets; None: those of `delivery.mode: Mount`."""
    return render(content.components, [plain_edit(e) for e in content.edits], metadata)


def strata(content: VersionContent) -> list[dict[str, str]]:
    """The distinct conditions of the edits, in order: each is metadata under which other texts are rendered."""
    found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for edit in content.edits:
        if edit.when:
            found.setdefault(tuple(sorted(edit.when.items())), dict(edit.when))
    return list(found.values())


def estimate_tokens(text: str) -> int:
    """Prompt tokens of a text, estimated at four UTF-8 bytes a token: the usual rule for English text. No tokenizer
    is asked, for the model may be any."""
    return (len(text.encode()) + 3) // 4


def largest_prompt(content: VersionContent) -> int:
    """Estimated tokens of the largest rendering over all conditions that the edits name."""
    cases: list[Mapping[str, object]] = [{}, *strata(content)]
    return max(sum(estimate_tokens(text) for text in rendered(content, case).values()) for case in cases)


def check_delivery(content: VersionContent, mode: str) -> None:
    """Raise ConditionalEdit when `mode` is Mount and an edit has a condition; UnknownComponent for an edit of a
    `system` or `tool.<name>` that the baseline does not have."""
    for edit in content.edits:
        if edit.component not in content.components and not can_be_created(edit.component):
            raise UnknownComponent(
                f"An edit changes the component {edit.component}, which the baseline does not have: "
                f"add it to spec.components, or take the edit out."
            )
        if mode == "Mount" and edit.when:
            condition = ", ".join(f"{k} = {v}" for k, v in sorted(edit.when.items()))
            raise ConditionalEdit(
                f"An edit of {edit.component} holds only where {condition}; delivery.mode Mount serves plain keys "
                f"and cannot carry a condition: set delivery.mode to Client, or take the edit out."
            )


def check_size(data: Mapping[str, str]) -> None:
    """Raise PromptTooLarge when the data of a ConfigMap is above MAX_BYTES."""
    size = sum(len(key.encode()) + len(text.encode()) for key, text in data.items())
    if size > MAX_BYTES:
        raise PromptTooLarge(
            f"The version takes {size / 1024:.0f} KiB in its ConfigMap, {MAX_BYTES // 1024} KiB are allowed "
            f"(every text is kept twice, once as agents read it and once as edits start from it): "
            f"shorten the components, or take edits out."
        )
