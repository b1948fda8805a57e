"""The pointer ConfigMap (`spec.delivery.configMap`): what agents mount and read.

It holds the stable version three ways: plain keys (any agent, `delivery.mode: Mount`), `stable.json` with components
and edits (`ninefold.client`, which renders conditions), and `release.json`, which names what is served. A promotion
or a rollback is one write of this object.
"""

import json
from typing import Any

from ninefold.api import labels
from ninefold.api.artifacts import canonical
from ninefold.versions.content import check_delivery, check_size, plain_edit, rendered
from ninefold.versions.version import Version

RELEASE = "release.json"
STABLE = "stable.json"


def pointer(
    agent_name: str,
    namespace: str,
    config_map: str,
    version: Version,
    mode: str,
    *,
    owner: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of the pointer that serves `version`.

    `owner` is an owner reference, for `deletionPolicy: Delete`. Raises ConditionalEdit or UnknownComponent when
    `mode` cannot carry the version, and PromptTooLarge.
    """
    content = version.content
    check_delivery(content, mode)
    stable = {
        "version": version.name,
        "components": content.components,
        "edits": [plain_edit(edit) for edit in content.edits],
    }
    release = {"schemaVersion": 1, "mode": mode, "stable": version.name, "canary": None, "weight": 0}
    data = {
        **rendered(content),
        STABLE: canonical(stable).decode(),
        RELEASE: canonical(release).decode(),
    }
    check_size(data)
    metadata: dict[str, Any] = {
        "name": config_map,
        "namespace": namespace,
        "labels": {labels.AGENT: agent_name, labels.ROLE: "pointer", labels.MANAGED_BY: labels.MANAGER},
    }
    if owner:
        metadata["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def pointer_problem(existing: dict[str, Any] | None, agent_name: str) -> str | None:
    """Why an existing ConfigMap must not be written (reason `PointerNotOwned`), or None when it is free or ours."""
    if existing is None:
        return None
    name, marks = existing["metadata"]["name"], existing["metadata"].get("labels") or {}
    if marks.get(labels.ROLE) != "pointer":
        return (
            f"ConfigMap {name} exists and was not made by Ninefold; it is left untouched: "
            f"name another one in spec.delivery.configMap, or delete it."
        )
    if marks.get(labels.AGENT) != agent_name:
        return (
            f"ConfigMap {name} serves the Agent {marks.get(labels.AGENT)}; it is left untouched: "
            f"name another one in spec.delivery.configMap."
        )
    return None


def pointer_drifted(existing: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """True when the pointer does not hold exactly what it should: data, our labels and our owner reference.
    Keys that somebody added count too, for an agent in Mount mode would read them."""
    marks = existing["metadata"].get("labels") or {}
    owners = {o.get("uid") for o in existing["metadata"].get("ownerReferences") or []}
    wanted_owners = {o.get("uid") for o in wanted["metadata"].get("ownerReferences") or []}
    return (
        (existing.get("data") or {}) != wanted["data"]
        or bool(existing.get("binaryData"))
        or any(marks.get(key) != value for key, value in wanted["metadata"]["labels"].items())
        or owners != wanted_owners
    )


def served_version(existing: dict[str, Any] | None) -> str | None:
    """The version that a pointer serves now, as its `release.json` says; None when there is none to read."""
    name = _release(existing).get("stable")
    return name if isinstance(name, str) else None


def named_versions(existing: dict[str, Any] | None) -> frozenset[str]:
    """The versions that a pointer names in any role."""
    release = _release(existing)
    return frozenset(name for role in ("stable", "canary") if isinstance(name := release.get(role), str))


def _release(existing: dict[str, Any] | None) -> dict[str, Any]:
    text = ((existing or {}).get("data") or {}).get(RELEASE)
    try:
        release = json.loads(text or "{}")
    except ValueError:
        return {}
    return release if isinstance(release, dict) else {}
