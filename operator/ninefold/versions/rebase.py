"""What becomes of a version when Git changes the baseline under it."""

from dataclasses import dataclass
from typing import Literal

from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.client import can_be_created
from ninefold.versions.content import edit_key
from ninefold.versions.version import Version

BaselineChange = Literal["KeepCompatible", "Reset", "Hold"]


@dataclass(frozen=True)
class Rebased:
    """The content on the new baseline, and the edits of the version that are no longer in it, each with the reason."""

    content: VersionContent
    kept: tuple[Edit, ...] = ()
    taken_in: tuple[Edit, ...] = ()
    withdrawn: tuple[Edit, ...] = ()


def rebase(
    version: Version, old_baseline: VersionContent, new_baseline: VersionContent, mode: BaselineChange
) -> Rebased:
    """Carry a version's own edits over to another baseline.

    KeepCompatible: an edit stays when the text of its component did not change; it is `taken_in` when Git now has it
    among its edits, or has its very words in the component; else it is `withdrawn`.
    Reset: no edit stays. Hold: the version stays as it is.
    """
    if mode == "Hold":
        return Rebased(version.content, kept=tuple(version.own_edits))
    in_git = {edit_key(edit) for edit in new_baseline.edits}
    kept: list[Edit] = []
    taken_in: list[Edit] = []
    withdrawn: list[Edit] = []
    for edit in version.own_edits:
        old, new = old_baseline.components.get(edit.component), new_baseline.components.get(edit.component)
        if edit_key(edit) in in_git or (not edit.when and new is not None and edit.text in new):
            taken_in.append(edit)
        elif mode == "KeepCompatible" and old == new and (new is not None or can_be_created(edit.component)):
            kept.append(edit)
        else:
            withdrawn.append(edit)
    content = VersionContent(components=new_baseline.components, edits=[*new_baseline.edits, *kept])
    return Rebased(content, tuple(kept), tuple(taken_in), tuple(withdrawn))
