"""Prune: edits of the served version that no longer pay are proposed for removal, so that prompts also shrink.

Every promoted edit carries what leaving it out did to success, measured by replay. Where that says "nothing gained"
(the estimate is zero or below, or the whole interval is), a candidate is made of the stable version without it. It
adds nothing, so it need not gain: race and gate ask of it that it loses nothing (non-inferiority). Edits that Git
owns are not touched; of those the run tells by a sentence.
"""

from ninefold.api.edits import Edit, EditKind
from ninefold.proposals.protocol import Evidence, Proposal
from ninefold.versions import edit_hash, edit_key

LEAST_CASES = 20
"""Cases behind an effect below which it says too little even for a proposal."""


class Prune:
    """Proposes one removal of all lines together that do not pay."""

    name = "prune"
    kinds: frozenset[EditKind] = frozenset(("Refine", "InjectContext", "Tool", "Fallback", "Example"))

    async def propose(self, evidence: Evidence) -> Proposal:
        from_git = {edit_key(edit) for edit in evidence.from_git}
        own = [edit for edit in evidence.stable.edits if edit_key(edit) not in from_git]
        return Proposal(removes=[edit_hash(edit) for edit in own if idle(edit)])


def idle(edit: Edit) -> bool:
    """Whether replay measured no gain of a served edit. Without a measurement it stays."""
    effect = edit.receipt.effect if edit.receipt else None
    return effect is not None and effect.cases >= LEAST_CASES and (effect.estimate <= 0 or effect.high < 0)
