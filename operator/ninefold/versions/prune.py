"""Which old versions may go: each promotion and each refused candidate leaves a ConfigMap, and a cluster is no archive.

The newest stay, and with them whatever may still be served without anybody making it anew: what agents read now, what
is stable, what would be served if the stable version were quarantined, a pin, Git's baseline, and what is quarantined
(its texts are the evidence). A version that is not known (tampered with) is nobody's to delete.
"""

from collections.abc import Collection, Mapping

from ninefold.api.inputs import VersionContent
from ninefold.versions.content import content_hash
from ninefold.versions.ledger import Ledger
from ninefold.versions.rebase import BaselineChange
from ninefold.versions.serve import serve
from ninefold.versions.version import Version


def surplus(
    versions: Mapping[str, Version],
    ledger: Ledger,
    baseline: VersionContent,
    *,
    limit: int,
    named: Collection[str] = (),
    quarantine: Collection[str] = (),
    on_baseline_change: BaselineChange = "KeepCompatible",
) -> tuple[str, ...]:
    """Names of the versions that may be deleted, the oldest first.

    limit: how many of those that nothing needs are kept, the newest; at least 1, so that the highest number is known
    even without a ledger. named: what a pointer, a pin or a status names.
    """
    barred = {*quarantine, *ledger.quarantine}
    stable = versions.get(ledger.stable) if ledger.stable else None
    without_stable = {*quarantine, *([stable.hash] if stable else [])}
    fallback = serve(
        versions, ledger, baseline, quarantine=without_stable, on_baseline_change=on_baseline_change
    ).version
    needed = {*named, ledger.stable, fallback.name if fallback else None}
    hashes = {*barred, content_hash(baseline)}
    free = [v for v in versions.values() if v.name not in needed and v.hash not in hashes]
    free.sort(key=lambda version: version.number)
    return tuple(version.name for version in free[: max(0, len(free) - max(1, limit))])
