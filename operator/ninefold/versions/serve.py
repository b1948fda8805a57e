"""Which version agents should read: pin > quarantine > Git's baseline > stable.

A pure decision over what is known. It names a version that exists, or gives the content of one that must be written
first (the controller gives it the next number, unless a version with the same hash is there), or holds: leaves the
pointer as it is. Every decision carries a reason for the condition and a sentence for the person who reads it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ninefold.api.inputs import VersionContent
from ninefold.versions.content import content_hash
from ninefold.versions.ledger import Ledger
from ninefold.versions.rebase import BaselineChange, rebase
from ninefold.versions.version import Stage, Version, hash_of

Reason = Literal[
    "Pinned", "PinUnknown", "RolledBack", "Baseline", "BaselineChanged", "BaselineHeld", "Stable", "AllQuarantined"
]


@dataclass(frozen=True)
class Serving:
    """The decision. Exactly one of these holds: `version` is set (serve it), `content` is set (write a version with
    it, then serve that), or neither (hold: leave the pointer as it is).

    `problem` is True when a user has to do something; the sentence says what.
    """

    reason: Reason
    message: str
    version: Version | None = None
    content: VersionContent | None = None
    problem: bool = False


@dataclass(frozen=True)
class _Known:
    """What a decision is made from. `barred`: hashes that are quarantined, by the user or by a rollback."""

    versions: Mapping[str, Version]
    ledger: Ledger
    baseline: VersionContent
    barred: Collection[str]
    mode: BaselineChange


def serve(
    versions: Mapping[str, Version],
    ledger: Ledger,
    baseline: VersionContent,
    *,
    pin: str | None = None,
    quarantine: Collection[str] = (),
    on_baseline_change: BaselineChange = "KeepCompatible",
) -> Serving:
    """Decide what is served.

    versions: known and untampered versions by name. ledger: which one is stable, which were, and what is quarantined.
    baseline: components and edits as Git has them now. pin: `spec.version`. quarantine: hashes of `spec.quarantine`.
    """
    known = _Known(versions, ledger, baseline, {*quarantine, *ledger.quarantine}, on_baseline_change)
    if pin is None:
        return _unpinned(known)
    if pin in versions:
        note = ", although its hash is quarantined" if hash_of(pin) in known.barred else ""
        return Serving("Pinned", f"spec.version pins {pin}; it is served whatever else is known{note}.", versions[pin])
    newest = ", ".join(sorted(versions, key=lambda name: versions[name].number)[-5:]) or "none"
    otherwise = _unpinned(known)
    return Serving(
        "PinUnknown",
        f"spec.version pins {pin}, which is not known (known: {newest}): name one of these, or remove the pin. "
        f"Meanwhile: {otherwise.message}",
        otherwise.version,
        otherwise.content,
        problem=True,
    )


def stage_of(version: Version, served: str | None, ledger: Ledger, quarantine: Collection[str] = ()) -> Stage:
    """The stage label that a version should carry while `served` is the name of the one that agents read."""
    if version.name == served:
        return "stable"
    if version.hash in {*quarantine, *ledger.quarantine}:
        return "quarantined"
    if version.name == ledger.stable or version.name in ledger.history:
        return "retired"
    return "candidate" if version.own_edits else "baseline"


def _unpinned(known: _Known) -> Serving:
    stable = known.versions.get(known.ledger.stable) if known.ledger.stable else None
    if stable is None or stable.hash in known.barred:
        return _fallback(known, stable)
    return _on_baseline(known, stable) or Serving("Stable", f"{stable.name} is the stable version.", stable)


def _fallback(known: _Known, stable: Version | None) -> Serving:
    """The stable version may not be served or is gone: its nearest good ancestor, else the newest good version that
    was stable, else Git's baseline."""
    if known.ledger.stable is None:
        lost = "No version has been served yet"
    elif stable is None:
        lost = f"The stable version {known.ledger.stable} is gone or was tampered with"
    else:
        lost = f"The stable version {stable.name} is quarantined"
    for name in [*_ancestors(known.versions, stable), *known.ledger.history]:
        candidate = known.versions.get(name)
        if candidate is not None and candidate.hash not in known.barred:
            moved = _on_baseline(known, candidate)
            if moved is None:
                return Serving("RolledBack", f"{lost}; {name} is served instead.", candidate)
            return Serving("RolledBack", f"{lost}. {moved.message}", moved.version, moved.content, moved.problem)
    if content_hash(known.baseline) in known.barred:
        return Serving(
            "AllQuarantined",
            f"{lost}, and so is every version before it and Git's baseline: what is served now stays. "
            f"Remove a hash from spec.quarantine, or change spec.components.",
            problem=True,
        )
    return _known_or_new(known, known.baseline, "Baseline", f"{lost}; Git's baseline is served.")


def _on_baseline(known: _Known, version: Version) -> Serving | None:
    """What becomes of `version` because Git's baseline is no longer the one that it stands on; None: nothing,
    because it is, or because Git has taken in exactly what the version adds."""
    if content_hash(known.baseline) == version.lineage.baseline:
        return None
    if known.mode == "Hold":
        return Serving(
            "BaselineHeld",
            f"Git's baseline differs from the one that {version.name} stands on, and delivery.onBaselineChange is "
            f"Hold: {version.name} stays.",
            version,
        )
    moved = rebase(version, version.baseline, known.baseline, known.mode)
    if content_hash(moved.content) == version.hash:
        return None
    message = (
        f"Git's baseline differs from the one that {version.name} stands on ({known.mode}): "
        f"of its {len(version.own_edits)} edits {len(moved.kept)} stay, "
        f"{len(moved.taken_in)} are in Git now, {len(moved.withdrawn)} are withdrawn."
    )
    if content_hash(moved.content) not in known.barred:
        return _known_or_new(known, moved.content, "BaselineChanged", message)
    if content_hash(known.baseline) not in known.barred:
        return _known_or_new(
            known, known.baseline, "BaselineChanged", f"{message} That is quarantined, so the baseline alone is served."
        )
    return Serving(
        "AllQuarantined",
        f"{message} That and the baseline alone are quarantined, so {version.name} stays: "
        f"remove a hash from spec.quarantine, or change spec.components.",
        version,
        problem=True,
    )


def _known_or_new(known: _Known, content: VersionContent, reason: Reason, message: str) -> Serving:
    """The newest known version with this content, so that the same texts never get a second number."""
    wanted = content_hash(content)
    same = [version for version in known.versions.values() if version.hash == wanted]
    if same:
        return Serving(reason, message, max(same, key=lambda version: version.number))
    return Serving(reason, message, content=content)


def _ancestors(versions: Mapping[str, Version], version: Version | None) -> list[str]:
    """Names along the line of parents, nearest first; ends where a parent is unknown or comes again."""
    line: list[str] = []
    while version is not None and version.lineage.parent and version.lineage.parent not in line:
        line.append(version.lineage.parent)
        version = versions.get(version.lineage.parent)
    return line
