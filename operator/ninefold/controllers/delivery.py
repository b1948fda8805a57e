"""What should stand in an Agent's ConfigMaps, and the writes that bring it there.

`decide` is a function of what is known; `writes` compares its decision with what is there, in an order in which the
process may die after each write: a version before the ledger that names it, the ledger (which is the truth about what
is stable) before labels and pointer, which follow from it and are derived anew by the next plan. Old versions go last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ninefold.api import labels
from ninefold.api.inputs import VersionContent
from ninefold.controllers.actions import Action, Create, Delete, Manifest, Replace
from ninefold.controllers.objects import Agent, Run, owner_reference, ref_of
from ninefold.controllers.runfacts import is_ended, wants_promotion
from ninefold.versions import (
    Adopted,
    Ledger,
    Serving,
    Version,
    VersionError,
    adopt,
    check_carried,
    configmap_name,
    ledger_configmap,
    named_versions,
    new_version,
    next_number,
    pointer,
    pointer_drifted,
    read_ledger,
    serve,
    served_version,
    stage_of,
    surplus,
    to_configmap,
)


@dataclass(frozen=True)
class ConfigMaps:
    """What is there: version ConfigMaps by label, and the two that are found by name."""

    versions: tuple[Manifest, ...]
    ledger: Manifest | None
    pointer: Manifest | None


@dataclass(frozen=True)
class Delivery:
    """What should be there. `version` is what agents read (None: the pointer stays as it is)."""

    ledger: Ledger
    serving: Serving
    version: Version | None
    is_new: bool
    known: Adopted
    surplus: tuple[str, ...] = ()
    """Known versions that are kept no longer."""


def decide(agent: Agent, baseline: VersionContent, there: ConfigMaps, runs: Iterable[Run]) -> Delivery:
    """Adopt what is known, promote a run that is proved and approved, and choose what is served.

    Raises TamperedVersion when the ledger cannot be read.
    """
    spec, runs = agent.spec, tuple(runs)
    known = adopt(there.versions, read_ledger(there.ledger), agent.name)
    ledger = known.ledger
    unpinned = _serve(agent, known.versions, ledger, baseline, pin=None)
    run = next((run for run in runs if _is_promotable(run, agent, known, ledger, unpinned)), None)
    if run is not None and run.status.candidate is not None and run.status.candidate.version is not None:
        ledger = ledger.promoted(run.status.candidate.version)
    serving = _serve(agent, known.versions, ledger, baseline, pin=spec.version)
    version, is_new = serving.version, serving.content is not None
    if serving.content is not None:
        number = next_number((v.number for v in known.versions.values()), ledger)
        version = new_version(number, serving.content, baseline, parent=ledger.stable)
    if version is not None:
        ledger = ledger.numbered(version.number)
        if ledger.stable is None or serving.reason == "BaselineChanged":
            ledger = ledger.promoted(version.name)
        # Asked again as the next plan will: so the first status says what the second would, and no second is written.
        after = {**known.versions, version.name: version}
        serving = _serve(agent, after, ledger, baseline, pin=spec.version)
    delivery = Delivery(ledger, serving, version, is_new, known)
    if not all(map(is_ended, runs)):
        return delivery  # a run extends one version, and may come to the texts of an old one
    return replace(delivery, surplus=_surplus(agent, delivery, baseline, there.pointer))


def _surplus(agent: Agent, delivery: Delivery, baseline: VersionContent, pointer: Manifest | None) -> tuple[str, ...]:
    status, served = agent.status, delivery.version
    told = (
        agent.spec.version,
        status.stable_version,
        status.delivered.version if status.delivered else None,
        served.name if served else None,
    )
    return surplus(
        delivery.known.versions,
        delivery.ledger,
        baseline,
        limit=agent.spec.delivery.version_history_limit,
        named={*named_versions(pointer), *filter(None, told)},
        quarantine=agent.spec.quarantine,
        on_baseline_change=agent.spec.delivery.on_baseline_change,
    )


def _serve(
    agent: Agent, versions: Mapping[str, Version], ledger: Ledger, baseline: VersionContent, pin: str | None
) -> Serving:
    return serve(
        versions,
        ledger,
        baseline,
        pin=pin,
        quarantine=agent.spec.quarantine,
        on_baseline_change=agent.spec.delivery.on_baseline_change,
    )


def _is_promotable(run: Run, agent: Agent, known: Adopted, ledger: Ledger, unpinned: Serving) -> bool:
    """Proved, approved, unharmed, allowed, and still an extension of what is stable; a pin to another version holds
    it back."""
    candidate = run.status.candidate
    if not wants_promotion(run) or candidate is None or candidate.version is None:
        return False
    version = known.versions.get(candidate.version)
    return (
        version is not None
        and version.hash == candidate.hash
        and version.hash not in {*agent.spec.quarantine, *ledger.quarantine}
        and unpinned.version is not None
        and unpinned.version.name == run.status.baseline_version
        and agent.spec.version in (None, version.name)
        and deliverable(version, agent) is None
    )


def deliverable(version: Version, agent: Agent) -> str | None:
    """Why the Agent's `delivery` cannot carry a version, as a sentence; None when it can."""
    try:
        check_carried(version.content, agent.spec.delivery)
    except VersionError as error:
        return str(error)
    return None


def is_read(agent: Agent, version: str) -> bool:
    """Whether agents read this version, by every way in which they are served."""
    delivered = agent.status.delivered
    in_langfuse = agent.spec.delivery.langfuse_prompt is None or (
        delivered is not None and delivered.version == version
    )
    return agent.status.stable_version == version and in_langfuse


def owner_for(agent: Agent) -> dict[str, Any] | None:
    """Garbage collection is what carries out `deletionPolicy`, so no finalizer is needed on a user's object."""
    return owner_reference(agent.ref, controller=False) if agent.spec.deletion_policy == "Delete" else None


def writes(agent: Agent, delivery: Delivery, there: ConfigMaps) -> tuple[Action, ...]:
    """The actions, in order; none when everything is as decided. Raises VersionError when the version does not fit."""
    wanted_pointer = None
    if delivery.version is not None:
        wanted_pointer = pointer(
            agent.name,
            agent.namespace,
            agent.spec.delivery.config_map,
            delivery.version,
            agent.spec.delivery.mode,
            owner=owner_for(agent),
        )
    return (
        *_new_version(agent, delivery),
        *_ledger(agent, delivery.ledger, there.ledger),
        *_stages(agent, delivery, there),
        *_pointer(wanted_pointer, there.pointer),
        *_deletions(agent, delivery, there),
    )


def _new_version(agent: Agent, delivery: Delivery) -> tuple[Action, ...]:
    if delivery.version is None or not delivery.is_new:
        return ()
    stage = stage_of(delivery.version, delivery.version.name, delivery.ledger, agent.spec.quarantine)
    version = delivery.version.model_copy(update={"stage": stage})
    return (Create(to_configmap(agent.name, agent.namespace, version, owner=owner_for(agent))),)


def _ledger(agent: Agent, ledger: Ledger, there: Manifest | None) -> tuple[Action, ...]:
    wanted = ledger_configmap(agent.name, agent.namespace, ledger, owner=owner_for(agent))
    if there is None:
        return (Create(wanted),)
    updated = with_content(there, wanted)
    return (Replace(updated),) if updated != there else ()


def _stages(agent: Agent, delivery: Delivery, there: ConfigMaps) -> tuple[Action, ...]:
    served = delivery.version.name if delivery.version is not None else served_version(there.pointer)
    changed = []
    by_name = {manifest["metadata"]["name"]: manifest for manifest in there.versions}
    for version in delivery.known.versions.values():
        if version.name in delivery.surplus:
            continue
        manifest = by_name[configmap_name(agent.name, version.name)]
        stage = stage_of(version, served, delivery.ledger, agent.spec.quarantine)
        updated = with_metadata(manifest, {labels.STAGE: stage}, owner_for(agent))
        if updated != manifest:
            changed.append(Replace(updated))
    return tuple(changed)


def _deletions(agent: Agent, delivery: Delivery, there: ConfigMaps) -> tuple[Action, ...]:
    by_name = {manifest["metadata"]["name"]: manifest for manifest in there.versions}
    return tuple(Delete(ref_of(by_name[configmap_name(agent.name, name)])) for name in delivery.surplus)


def _pointer(wanted: Manifest | None, there: Manifest | None) -> tuple[Action, ...]:
    if wanted is None:
        return ()
    if there is None:
        return (Create(wanted),)
    if not pointer_drifted(there, wanted):
        return ()
    if there.get("immutable"):  # somebody locked it; only another object can take its place
        return (Delete(ref_of(there)), Create(wanted))
    return (Replace(with_content(there, wanted)),)


def with_metadata(manifest: Manifest, marks: dict[str, str], owner: dict[str, Any] | None) -> Manifest:
    """The object as read, with our labels and owner; other people's labels and annotations stay."""
    metadata = dict(manifest["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), **marks}
    metadata.pop("ownerReferences", None)
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {**manifest, "metadata": metadata}


def with_content(manifest: Manifest, wanted: Manifest) -> Manifest:
    """The object as read, with the data, labels and owner of `wanted`."""
    owners = wanted["metadata"].get("ownerReferences") or [None]
    updated = with_metadata(manifest, wanted["metadata"]["labels"], owners[0])
    updated.pop("binaryData", None)
    return {**updated, "data": wanted["data"]}
