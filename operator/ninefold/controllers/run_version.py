"""The version that a candidate becomes, as the run sees it: made from the inputs and the proposals alone."""

from ninefold.api.candidates import Candidate, ProposalSet
from ninefold.api.outcomes import ReplayReport
from ninefold.api.run import Figures
from ninefold.controllers.delivery import owner_for
from ninefold.controllers.run_snapshot import RunSnapshot
from ninefold.versions import (
    Adopted,
    Version,
    VersionError,
    adopt,
    check_carried,
    edit_key,
    extended,
    new_version,
    next_number,
    pointer,
    read_ledger,
    to_configmap,
)


def winner_of(report: ReplayReport, proposals: ProposalSet, name: str | None = None) -> Candidate | None:
    """The candidate that a replay names: its own, with measured receipts, when it is made of proposed edits alone.

    What the race composes are proposed texts under other conditions; any other text nobody has proposed.
    """
    wanted = report.winner if name is None else name
    own = report.candidate
    if own is not None and own.id == wanted:
        texts = {(edit.component, edit.kind, edit.text) for one in proposals.candidates for edit in one.edits}
        gone = {name for one in proposals.candidates for name in one.removes}
        known = all((edit.component, edit.kind, edit.text) in texts for edit in own.edits)
        return own if known and gone.issuperset(own.removes) else None
    return next((one for one in proposals.candidates if one.id == wanted), None)


class NoParentError(Exception):
    """The version that the run extends is gone or was tampered with."""


def known_versions(s: RunSnapshot) -> Adopted:
    """The Agent's versions and ledger. Raises TamperedVersion when the ledger cannot be read."""
    assert s.agent is not None, "steps before this one see to it"
    return adopt(s.versions, read_ledger(s.ledger), s.agent.name)


def candidate_version(s: RunSnapshot, candidate: Candidate, gate: Figures | None = None) -> Version:
    """The version under the number that it would get now; one with the same texts keeps the number that it has.

    Raises NoParentError, TamperedVersion.
    """
    assert s.inputs is not None and s.inputs.value is not None
    inputs, known = s.inputs.value, known_versions(s)
    parent = known.versions.get(s.run.status.baseline_version or "")
    if parent is None:
        message = f"the version {s.run.status.baseline_version} that the run extends is gone: start another run"
        raise NoParentError(message)
    baseline = inputs.baseline
    content = extended(baseline, candidate.edits, candidate.removes)
    from_git = [edit_key(edit) for edit in parent.baseline.edits]
    if [edit_key(edit) for edit in content.edits[: len(from_git)]] != from_git:
        raise NoParentError(f"the candidate {candidate.id} leaves out an edit that Git owns: take it out of spec.edits")
    made = new_version(
        next_number((version.number for version in known.versions.values()), known.ledger),
        content,
        parent.baseline,
        parent=parent.name,
        run=s.run.name,
        model=inputs.agent.model.name,
        gate=gate,
    )
    same = [version for version in known.versions.values() if version.hash == made.hash]
    return max(same, key=lambda version: version.number, default=made)


def refusal(s: RunSnapshot, version: Version) -> tuple[str, str] | None:
    """Why a version could never be delivered, as reason and sentence; None when it can. Asked before calls are paid."""
    assert s.agent is not None
    barred = {*s.agent.spec.quarantine, *known_versions(s).ledger.quarantine}
    if version.hash in barred:
        return "Quarantined", f"the winner is the version with the hash {version.hash}, which is quarantined"
    delivery = s.agent.spec.delivery
    try:
        check_carried(version.content, delivery)
        to_configmap(s.agent.name, s.agent.namespace, version, owner=owner_for(s.agent))
        pointer(s.agent.name, s.agent.namespace, delivery.config_map, version, delivery.mode)
    except VersionError as error:
        return error.reason, str(error)
    return None
