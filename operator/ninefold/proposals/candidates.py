"""From edits to candidates: guarded, without what the stable version already says, best predicted first.

Each proposer's edits make one candidate, so that replay shows what each way is worth. All compatible edits of the
deterministic proposers together make another, for failures have more than one cause; and those with what a model has
written a third, so that one careless sentence of a model cannot sink what counting has found.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ninefold.api.candidates import Candidate
from ninefold.api.edits import Edit, EditKind
from ninefold.api.inputs import VersionContent
from ninefold.proposals.conflicts import conflict
from ninefold.proposals.guards import Known, refusal
from ninefold.proposals.protocol import Evidence, Proposal
from ninefold.versions import (
    VersionError,
    check_delivery,
    edit_hash,
    edit_key,
    extended,
    largest_prompt,
    new_version,
    rendered,
    strata,
    to_configmap,
)

TOGETHER, EVERYTHING = "together", "everything"
DETERMINISTIC = "deterministic"
HIGHEST_NUMBER = 10**9 - 1


@dataclass(frozen=True)
class Offer:
    """What is left of one proposer's edits."""

    proposer: str
    edits: tuple[Edit, ...]
    removes: tuple[str, ...] = ()

    @property
    def written(self) -> bool:
        """Whether a model wrote it, rather than counting."""
        return any(edit.receipt is None or edit.receipt.proposer != DETERMINISTIC for edit in self.edits)


def accept(
    proposer: str, proposal: Proposal, evidence: Evidence, kinds: Collection[EditKind]
) -> tuple[Offer, list[str]]:
    """The edits that may become part of a candidate, and a sentence for each that may not.

    Left out without a word: kinds that the policy does not allow, and what the stable version already says.
    """
    said = [*rendered(evidence.stable).values(), *(edit.text for edit in evidence.stable.edits)]
    known = Known("\n".join(said), evidence.tools, evidence.spoken)
    kept: list[Edit] = []
    refused: list[str] = []
    from_git = {edit_key(edit) for edit in evidence.from_git}
    own = {edit_hash(edit) for edit in evidence.stable.edits if edit_key(edit) not in from_git}
    removes = tuple(name for name in dict.fromkeys(proposal.removes) if name in own)
    served = [edit for edit in evidence.stable.edits if edit_hash(edit) not in removes]
    for edit in proposal.edits:
        if edit.kind not in kinds or _already_said(edit, [*evidence.stable.edits, *kept], evidence.stable):
            continue
        reason = refusal(edit, known)
        if reason is None and conflict(edit, [*served, *kept]) is not None:
            reason = f"An edit of {edit.component} ({edit.kind}) was refused: it contradicts another edit."
        if reason is None:
            try:
                check_delivery(evidence.stable.model_copy(update={"edits": [edit]}), evidence.delivery)
            except VersionError as error:
                reason = str(error)
        if reason is None:
            kept.append(edit)
        else:
            refused.append(reason)
    return Offer(proposer, tuple(kept), removes), refused


def _already_said(edit: Edit, edits: Sequence[Edit], stable: VersionContent) -> bool:
    """The same edit is there, or its words are in a component for every case, or (for rules, whose words vary with
    their examples) one of the same kind and condition answers the same pattern at the same place."""
    same = edit_key(edit)
    if any(edit_key(other) == same for other in edits) or edit.text in stable.components.get(edit.component, ""):
        return True
    return edit.kind != "InjectContext" and any(_slot(other) == _slot(edit) for other in edits)


def _slot(edit: Edit) -> tuple[object, ...]:
    """Two edits of one slot answer the same thing in the same place: one of them is enough."""
    pattern = edit.receipt.pattern if edit.receipt else None
    return edit.component, edit.kind, edit.at, tuple(sorted((edit.when or {}).items())), pattern or edit.text


def candidates(offers: Sequence[Offer], evidence: Evidence, limit: int) -> tuple[list[Candidate], list[str]]:
    """At most `limit` candidates, best predicted first, and a sentence for each that cannot be delivered.

    On equal predictions the one that answers in more ways comes first: replay decides, and costs the same.
    """
    offers = [offer for offer in offers if offer.edits or offer.removes]
    adding = [offer for offer in offers if offer.edits]
    counted = [offer for offer in adding if not offer.written]
    made = [_candidate(offer.proposer, [offer], evidence) for offer in offers]
    if len(counted) > 1:
        made.append(_candidate(TOGETHER, counted, evidence))
    if len(counted) < len(adding) and len(adding) > 1:
        made.append(_candidate(EVERYTHING, adding, evidence))
    kept: list[Candidate] = []
    refused: list[str] = []
    for candidate in made:
        problem = _undeliverable(candidate, evidence)
        if problem is None:
            kept.append(candidate)
        else:
            refused.append(f"Candidate {candidate.id} was left out: {problem}")
    kept.sort(key=lambda c: (-round(c.predicted_gain, 4), -len(c.edits), c.id))
    shrinking = [candidate for candidate in kept[limit:] if not candidate.edits]
    # What only takes away promises no gain and would never have its turn.
    return kept[: limit - len(shrinking[:1])] + shrinking[:1] if limit > 1 else kept[:limit], refused


def _candidate(name: str, offers: Sequence[Offer], evidence: Evidence) -> Candidate:
    edits: list[Edit] = []
    for offer in offers:
        fresh = (edit for edit in offer.edits if not _already_said(edit, edits, evidence.stable))
        edits += [edit for edit in fresh if conflict(edit, edits) is None]
    edits = _each_beside_others(edits, evidence)
    removes = list(dict.fromkeys(name for offer in offers for name in offer.removes))
    gone = [edit for edit in evidence.stable.edits if edit_hash(edit) in removes]
    return Candidate(
        id=name,
        edits=edits,
        removes=removes,
        summary=", ".join(filter(None, [_summary(edits), f"without {_summary(gone)}" if gone else ""])),
        predicted_gain=_gain(edits, evidence),
        proposer="+".join(offer.proposer for offer in offers),
    )


def _each_beside_others(edits: Sequence[Edit], evidence: Evidence) -> list[Edit]:
    """The edits, each promising what it adds to those before it that answer the same pattern.

    What the prompt tells needs no obedience, so facts come first: a rule to look things up adds what they do not tell.
    """
    most = {p.id: p.predicted_gain for p in evidence.report.patterns}
    taken: dict[tuple[str, str], float] = defaultdict(float)
    promised: dict[int, float] = {}
    for place, edit in sorted(enumerate(edits), key=lambda one: one[1].kind != "InjectContext"):
        receipt = edit.receipt
        if receipt is None or receipt.pattern is None or receipt.predicted_gain is None:
            continue
        told, own = (receipt.pattern, ""), (receipt.pattern, edit.kind)
        # Lines of one kind stand under different conditions: each has its own share already.
        before = taken[told] - taken[own]
        left = max(0.0, most.get(receipt.pattern, receipt.predicted_gain) - before)
        promised[place] = round(min(receipt.predicted_gain, left), 6)
        taken[told] += promised[place]
        taken[own] += promised[place]
    return [_promising(edit, promised.get(place)) for place, edit in enumerate(edits)]


def _promising(edit: Edit, gain: float | None) -> Edit:
    if edit.receipt is None or gain is None:
        return edit
    return edit.model_copy(update={"receipt": edit.receipt.model_copy(update={"predicted_gain": gain})})


def _summary(edits: Sequence[Edit]) -> str:
    groups: Mapping[tuple[str, str], list[Edit]] = defaultdict(list)
    for edit in edits:
        groups[edit.kind, edit.component].append(edit)
    parts = []
    for (kind, component), group in groups.items():
        conditions = {tuple(sorted(edit.when.items())) for edit in group if edit.when}
        where = f" under {len(conditions)} conditions" if conditions else ""
        parts.append(f"{len(group)} × {kind} of {component}{where}")
    return ", ".join(parts)


def _gain(edits: Sequence[Edit], evidence: Evidence) -> float:
    """Predicted gain in success rate, 0..1.

    Edits that answer the same pattern can gain what the pattern costs and no more; patterns are taken to cause
    failures independently, so that what is gained stays within what fails.
    """
    by_pattern: dict[str, float] = defaultdict(float)
    for edit in edits:
        if edit.receipt and edit.receipt.pattern:
            by_pattern[edit.receipt.pattern] += edit.receipt.predicted_gain or 0.0
    failing = 1 - evidence.report.success.rate
    if failing <= 0:
        return 0.0
    most = {p.id: p.predicted_gain for p in evidence.report.patterns}
    left = 1.0
    for pattern, gain in by_pattern.items():
        saved = min(gain, most.get(pattern, gain)) / failing
        left *= 1 - min(1.0, max(0.0, saved))
    return round(failing * (1 - left), 6)


def _undeliverable(candidate: Candidate, evidence: Evidence) -> str | None:
    stable = evidence.stable
    content = extended(stable, candidate.edits, candidate.removes)
    try:
        to_configmap("x" * 40, "", new_version(HIGHEST_NUMBER, content, stable))
    except VersionError as error:
        return str(error)
    largest = largest_prompt(content)
    if evidence.context_window is not None and largest > evidence.context_window:
        cases = f"over {len(strata(content))} conditions " if strata(content) else ""
        return (
            f"its largest rendering {cases}takes about {largest} tokens "
            f"and spec.model.contextWindow is {evidence.context_window}."
        )
    return None
