"""Objects of the API server as typed values, and the few facts about metadata that every controller needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from ninefold.api.agent import AgentSpec, AgentStatus
from ninefold.api.base import API_VERSION, Model
from ninefold.api.policy import OptimizationPolicySpec, OptimizationPolicyStatus
from ninefold.api.run import OptimizationRunSpec, OptimizationRunStatus
from ninefold.api.tracebackend import TraceBackendSpec, TraceBackendStatus
from ninefold.controllers.actions import Manifest, ObjectRef

SpecT = TypeVar("SpecT", bound=Model)
StatusT = TypeVar("StatusT", bound=Model)


@dataclass(frozen=True)
class Resource(Generic[SpecT, StatusT]):
    """One custom resource as read."""

    ref: ObjectRef
    generation: int
    created: datetime
    labels: dict[str, str]
    owners: tuple[dict[str, Any], ...]
    spec: SpecT
    status: StatusT
    raw_status: dict[str, Any]

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def namespace(self) -> str:
        return self.ref.namespace

    @property
    def uid(self) -> str:
        assert self.ref.uid is not None, "an object that was read has a UID"
        return self.ref.uid

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts the older one first; the UID decides between objects of one second."""
        return self.created, self.uid


TraceBackend = Resource[TraceBackendSpec, TraceBackendStatus]
Agent = Resource[AgentSpec, AgentStatus]
Policy = Resource[OptimizationPolicySpec, OptimizationPolicyStatus]
Run = Resource[OptimizationRunSpec, OptimizationRunStatus]


def parse_time(text: str) -> datetime:
    """A time as the API server writes it, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def ref_of(manifest: Manifest) -> ObjectRef:
    """A reference to an object that was read, with its UID."""
    metadata = manifest["metadata"]
    return ObjectRef(
        manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"], metadata.get("uid")
    )


class Kept(dict[str, Any]):
    """An object that nobody changes any more, as the watch cache keeps it: it remembers what it was parsed to.

    Plans look at their neighbours, and each scrape of the metrics at every Agent, so an object is parsed far more often
    than it changes; and parsing is most of what a reconcile without writes costs.
    """

    __slots__ = ("parsed",)

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(manifest)
        self.parsed: Any = None


def _parse(manifest: Manifest, spec: type[SpecT], status: type[StatusT]) -> Resource[SpecT, StatusT]:
    if not isinstance(manifest, Kept):
        return _parse_anew(manifest, spec, status)
    if manifest.parsed is None:
        manifest.parsed = _parse_anew(manifest, spec, status)
    found: Resource[SpecT, StatusT] = manifest.parsed
    return found


def _parse_anew(manifest: Manifest, spec: type[SpecT], status: type[StatusT]) -> Resource[SpecT, StatusT]:
    metadata, raw_status = manifest["metadata"], manifest.get("status") or {}
    return Resource(
        ref=ObjectRef(API_VERSION, manifest["kind"], metadata["namespace"], metadata["name"], metadata["uid"]),
        generation=int(metadata.get("generation", 1)),
        created=parse_time(metadata["creationTimestamp"]),
        labels=dict(metadata.get("labels") or {}),
        owners=tuple(metadata.get("ownerReferences") or ()),
        spec=spec.model_validate(manifest.get("spec") or {}),
        status=status.model_validate(raw_status),
        raw_status=raw_status,
    )


def backend_of(manifest: Manifest) -> TraceBackend:
    return _parse(manifest, TraceBackendSpec, TraceBackendStatus)


def agent_of(manifest: Manifest) -> Agent:
    return _parse(manifest, AgentSpec, AgentStatus)


def policy_of(manifest: Manifest) -> Policy:
    return _parse(manifest, OptimizationPolicySpec, OptimizationPolicyStatus)


def run_of(manifest: Manifest) -> Run:
    return _parse(manifest, OptimizationRunSpec, OptimizationRunStatus)


def agents_of(manifests: Iterable[Manifest]) -> list[Agent]:
    """Those that parse: one object that an older schema let in must not stop all of its neighbours."""
    return _those_that_parse(manifests, AgentSpec, AgentStatus)


def policies_of(manifests: Iterable[Manifest]) -> list[Policy]:
    """Those that parse, as `agents_of`."""
    return _those_that_parse(manifests, OptimizationPolicySpec, OptimizationPolicyStatus)


def runs_of(manifests: Iterable[Manifest]) -> list[Run]:
    """Those that parse, as `agents_of`."""
    return _those_that_parse(manifests, OptimizationRunSpec, OptimizationRunStatus)


def _those_that_parse(
    manifests: Iterable[Manifest], spec: type[SpecT], status: type[StatusT]
) -> list[Resource[SpecT, StatusT]]:
    found = []
    for manifest in manifests:
        try:
            found.append(_parse(manifest, spec, status))
        except ValidationError:
            continue
    return found


def owner_reference(owner: ObjectRef, *, controller: bool = True) -> dict[str, Any]:
    """An owner reference. It never blocks the owner's deletion: that would need rights on the owner's finalizers."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": controller,
        "blockOwnerDeletion": False,
    }


def owned_by(manifest: Manifest, uid: str) -> bool:
    """Whether the object is controlled by this very owner, not by a namesake of it."""
    owners = manifest["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


def is_gone(manifest: Manifest) -> bool:
    """Being deleted: nothing is made for it any more."""
    return "deletionTimestamp" in manifest["metadata"]


def newest_last(manifests: Iterable[Manifest]) -> list[Manifest]:
    """By creation; the name decides between objects of one second."""
    return sorted(manifests, key=lambda m: (m["metadata"]["creationTimestamp"], m["metadata"]["name"]))


def field_of(manifest: Manifest, path: str) -> str | None:
    """The text at a path such as `spec.agentRef.name`, if there is one."""
    value: Any = manifest
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def has_labels(manifest: Manifest, wanted: dict[str, str]) -> bool:
    found = manifest["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in wanted.items())
