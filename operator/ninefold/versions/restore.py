"""Adoption: knowing our versions again by what they hold.

After a restore, owner references and status are gone and the ledger may be older than the versions, or missing.
Versions are therefore recognised by label and by the hash of what they hold, never by who owns them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ninefold.api import labels
from ninefold.versions.errors import TamperedVersion
from ninefold.versions.ledger import Ledger
from ninefold.versions.version import Version, from_configmap


@dataclass(frozen=True)
class Adopted:
    """Versions by name, the ledger brought up to them, and a sentence per ConfigMap that is refused."""

    versions: Mapping[str, Version]
    ledger: Ledger
    refused: tuple[str, ...] = ()


def adopt(configmaps: Iterable[Mapping[str, Any]], ledger: Ledger, agent_name: str) -> Adopted:
    """Read an Agent's version ConfigMaps and bring the ledger up to them.

    ConfigMaps without the labels of this Agent's versions are left aside. The ledger learns the highest number, also
    from those that are refused, for their names are taken. Where it names no stable version it was lost: then it
    learns the newest that is labelled `stable`, and quarantines what is labelled so, which else would come back.
    """
    versions: dict[str, Version] = {}
    refused: list[str] = []
    for configmap in configmaps:
        marks = configmap["metadata"].get("labels") or {}
        if marks.get(labels.ROLE) != "version" or marks.get(labels.AGENT) != agent_name:
            continue
        try:
            version = from_configmap(configmap)
        except TamperedVersion as error:
            refused.append(str(error))
            ledger = ledger.numbered(_claimed_number(marks.get(labels.VERSION_LABEL, "")))
        else:
            versions[version.name] = version
    for version in sorted(versions.values(), key=lambda v: v.number):
        ledger = ledger.numbered(version.number)
        if version.stage == "quarantined" and ledger.stable is None:
            ledger = ledger.quarantined(version.hash)
    if ledger.stable is None:
        stable = [v for v in versions.values() if v.stage == "stable"]
        if stable:
            ledger = ledger.promoted(max(stable, key=lambda v: v.number).name)
    return Adopted(versions, ledger, tuple(refused))


def _claimed_number(label: str) -> int:
    return int(label[1:]) if re.fullmatch(r"v[0-9]{1,9}", label) else 0
