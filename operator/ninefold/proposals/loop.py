"""Asks the proposers and makes the set of candidates."""

from collections.abc import Collection, Sequence

from ninefold.api.candidates import ProposalSet
from ninefold.api.edits import EditKind
from ninefold.proposals.candidates import accept, candidates
from ninefold.proposals.protocol import Evidence, Proposer

KEPT_SENTENCES = 50


def joined(first: ProposalSet, second: ProposalSet, limit: int) -> ProposalSet:
    """The candidates of two rounds of one stage; the later ones first, for they came when the others had nothing."""
    return first.model_copy(
        update={
            "candidates": [*second.candidates, *first.candidates][:limit],
            "refused": list(dict.fromkeys([*first.refused, *second.refused]))[:KEPT_SENTENCES],
            "reflection_tokens": max(first.reflection_tokens, second.reflection_tokens),
        }
    )


async def propose(
    evidence: Evidence, proposers: Sequence[Proposer], kinds: Collection[EditKind], max_candidates: int
) -> ProposalSet:
    """Candidates on top of the stable version, from every proposer that may write an allowed kind of edit.

    `skipped_kinds` names the allowed kinds that none of the proposers writes.
    """
    offers, refused, tokens = [], list[str](), 0
    for proposer in proposers:
        if not proposer.kinds & set(kinds):
            continue
        proposal = await proposer.propose(evidence)
        offer, sentences = accept(proposer.name, proposal, evidence, kinds)
        offers.append(offer)
        refused += [*proposal.refused, *sentences]
        tokens += proposal.tokens_spent
    made, sentences = candidates(offers, evidence, max_candidates)
    written = {kind for proposer in proposers for kind in proposer.kinds}
    return ProposalSet(
        candidates=made,
        refused=list(dict.fromkeys([*refused, *sentences]))[:KEPT_SENTENCES],
        skipped_kinds=[kind for kind in kinds if kind not in written],
        reflection_tokens=tokens,
    )
