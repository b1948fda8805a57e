"""What an Agent's conditions say about the version that is served: how it came to be, and whether its proof holds."""

from ninefold.api.inputs import VersionContent
from ninefold.api.run import Figures
from ninefold.controllers.conditions import Verdict, absent, false, true
from ninefold.versions import Serving, Version, content_hash

PROMOTED = "Promoted"
PROOF_STALE = "ProofStale"


def served_conditions(version: Version, serving: Serving, baseline: VersionContent, model: str) -> list[Verdict]:
    """`Promoted` and `ProofStale`. `baseline` is Git's now, `model` the name of the Agent's model now."""
    return [_promoted(version, serving), _proof_stale(version, baseline, model)]


def _promoted(version: Version, serving: Serving) -> Verdict:
    if serving.reason == "RolledBack":
        return false(PROMOTED, "RolledBack", serving.message)
    if not version.own_edits:
        return false(PROMOTED, "Baseline", f"{version.name} is Git's baseline")
    if version.lineage.run is None:
        return true(PROMOTED, "CarriedOver", f"{version.name} carries proved edits over to another baseline")
    return true(
        PROMOTED, PROMOTED, f"{version.name} was proved by the run {version.lineage.run}{figures(version.gate)}"
    )


def _proof_stale(version: Version, baseline: VersionContent, model: str) -> Verdict:
    if not version.own_edits:
        return absent(PROOF_STALE)
    lineage = version.lineage
    moved = lineage.run is None or content_hash(baseline) not in (lineage.baseline, version.hash)
    if moved:
        message = f"{version.name} was proved on another baseline than Git's now: the next run proves it anew"
        return true(PROOF_STALE, "BaselineChanged", message)
    if lineage.model is not None and lineage.model != model:
        message = f"{version.name} was proved with the model {lineage.model}; the Agent has {model} now"
        return true(PROOF_STALE, "ModelChanged", message)
    return false(PROOF_STALE, "Proved", f"{version.name} was proved on this baseline and with this model")


def figures(gate: Figures | None) -> str:
    """The gate's figures as the end of a sentence; empty without any."""
    if gate is None or gate.baseline is None or gate.candidate is None or gate.gain is None:
        return ""
    bound = f", bound {gate.gain_bound * 100:+.1f} pp" if gate.gain_bound is not None else ""
    return (
        f": success {gate.baseline:.3f} → {gate.candidate:.3f}, {gate.gain * 100:+.1f} pp{bound}, "
        f"{gate.pairs or 0} paired cases"
    )
