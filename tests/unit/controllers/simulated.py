"""A simulated cluster: a stand-in for API server, garbage collector, Job controller and Redis, in one process.

It keeps what plans rely on: UIDs and resource versions, conflicts, immutable ConfigMaps, owners and their garbage
collection, UID preconditions, status apart from spec. Its Jobs end as a test says, and its operator can be told to die
behind a write. Names of UIDs are made from kind, name and incarnation, so that two histories can be compared.
"""

from __future__ import annotations  # `list` is also a method here

import copy
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ninefold.api.agent import AgentStatus
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.base import rfc3339
from ninefold.api.policy import OptimizationPolicyStatus
from ninefold.api.run import ArtifactRef, OptimizationRunStatus
from ninefold.api.tracebackend import TraceBackendStatus
from ninefold.controllers.actions import Action, Apply, ApplyStatus, Create, Delete, Emit, Manifest, Replace
from ninefold.controllers.objects import field_of
from ninefold.controllers.ports import INDEXED_FIELDS, ArtifactProblem

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
STATUS = {
    "TraceBackend": TraceBackendStatus,
    "Agent": AgentStatus,
    "OptimizationPolicy": OptimizationPolicyStatus,
    "OptimizationRun": OptimizationRunStatus,
}
Place = tuple[str, str, str]


class Died(BaseException):
    """The operator's process is gone, behind a write."""


class Refused(Exception):
    """The API server says no."""


@dataclass
class SimulatedCluster:
    """`ports.Reader` and `ports.Writer` over dictionaries. `now` moves by a second with each write."""

    now: datetime = START
    objects: dict[Place, Manifest] = field(default_factory=dict)
    redis: dict[str, bytes] = field(default_factory=dict)
    redis_reads: list[str] = field(default_factory=list)
    changed: list[Manifest] = field(default_factory=list)
    """What the watch would tell since it was last emptied."""
    writes: list[Action] = field(default_factory=list)
    """Those that changed something."""
    events: dict[str, Emit] = field(default_factory=dict)
    mortal: bool = False
    """The operator dies behind every write that changes something."""
    moments: list[SimulatedCluster] | None = None
    """Where given, a copy of the cluster is kept here behind every such write: what a successor would find."""
    _version: int = 0
    _as_stored: dict[Place, str] = field(default_factory=dict)
    _incarnations: Counter[Place] = field(default_factory=Counter)

    # ------------------------------------------------------------ reader

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self.objects.get((kind, namespace, name))

    async def list(
        self,
        kind: str,
        namespace: str,
        labels: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        assert set(fields or {}) <= set(INDEXED_FIELDS.get(kind, ())), "a field that the cache does not index"
        found = [m for (k, ns, _), m in sorted(self.objects.items()) if (k, ns) == (kind, namespace)]
        found = [m for m in found if all(field_of(m, path) == value for path, value in (fields or {}).items())]
        return [m for m in found if (labels or {}).items() <= (m["metadata"].get("labels") or {}).items()]

    async def artifact(self, ref: ArtifactRef) -> bytes:
        self.redis_reads.append(ref.artifact)
        data = self.redis.get(ref.artifact)
        if data is None:
            raise ArtifactProblem("ArtifactLost", f"artifact {ref.artifact} is no longer in Redis")
        if len(data) != ref.bytes or sha256(data) != ref.sha256:
            raise ArtifactProblem("ArtifactForged", f"artifact {ref.artifact} does not match its digest: refused")
        return data

    # ------------------------------------------------------------ writer

    async def perform(self, action: Action) -> dict[str, Any] | None:
        before = self._version, len(self.objects), len(self.events)
        result = self._perform(action)
        self.now += timedelta(seconds=1)
        if before == (self._version, len(self.objects), len(self.events)):
            return result  # it was done before
        self.writes.append(action)
        if self.moments is not None:
            self.moments.append(copy.deepcopy(replace(self, moments=None)))
        if self.mortal:
            raise Died
        return result

    def _perform(self, action: Action) -> Manifest | None:
        match action:
            case Create(manifest):
                place = _place(manifest)
                if place in self.objects:
                    return self._already_there(self.objects[place], manifest)
                return self.put(manifest)
            case Replace(manifest):
                return self._replace(manifest)
            case ApplyStatus(ref, status, _):
                old = self.objects.get((ref.kind, ref.namespace, ref.name))
                if old is None or old["metadata"]["uid"] != ref.uid:
                    raise Refused(f"no {ref.kind} {ref.name} of that UID")
                STATUS[ref.kind].model_validate(status)
                return self._store({**old, "status": copy.deepcopy(status)})
            case Delete(ref):
                self.delete(ref.kind, ref.name, ref.namespace, uid=ref.uid)
            case Emit():
                self.events.setdefault(action.key, action)
            case Apply():
                raise AssertionError("no plan applies anything but status")
        return None

    def _already_there(self, found: Manifest, wanted: Manifest) -> Manifest:
        marks = wanted["metadata"].get("labels") or {}
        owners = {o["uid"] for o in wanted["metadata"].get("ownerReferences") or []}
        theirs = {o["uid"] for o in found["metadata"].get("ownerReferences") or []}
        if not marks.items() <= (found["metadata"].get("labels") or {}).items() or not owners <= theirs:
            raise Refused(f"{wanted['kind']} {wanted['metadata']['name']} exists and belongs to somebody else")
        return found

    def _replace(self, manifest: Manifest) -> Manifest:
        old = self.objects.get(_place(manifest))
        if old is None or old["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Refused("conflict: the object has been modified")
        if old.get("immutable") and (old.get("data"), True) != (manifest.get("data"), manifest.get("immutable")):
            raise Refused("the ConfigMap is immutable")
        return self._store(manifest)

    # ------------------------------------------------------------ what users, Jobs and others do

    def put(self, manifest: Manifest, **metadata: Any) -> Manifest:
        """Create or replace an object as somebody else would; a change of the spec is another generation."""
        place = _place(manifest)
        old = self.objects.get(place)
        made = copy.deepcopy(manifest)
        if old is None:
            self._incarnations[place] += 1
            identity = {
                "uid": f"uid-{sha256(canonical([*place, self._incarnations[place]]))[:12]}",
                "creationTimestamp": rfc3339(self.now),
                "generation": 1,
            }
        else:
            identity = {key: old["metadata"][key] for key in ("uid", "creationTimestamp", "generation")}
            identity["generation"] += old.get("spec") != made.get("spec")
            made.setdefault("status", old.get("status", {}))
        made["metadata"] = {**made["metadata"], **identity, **metadata}
        return self._store(made)

    def edit(self, kind: str, name: str, **spec: Any) -> None:
        """`kubectl patch`: fields of the spec; None removes one."""
        old = copy.deepcopy(self.one(kind, name))
        merged = {**old["spec"], **spec}
        old["spec"] = {key: value for key, value in merged.items() if value is not None}
        self.put(old)

    def delete(self, kind: str, name: str, namespace: str = "shop", uid: str | None = None) -> None:
        """Delete in the background, and what it owned."""
        place = (kind, namespace, name)
        old = self.objects.get(place)
        if old is None or uid not in (None, old["metadata"]["uid"]):
            return
        del self.objects[place], self._as_stored[place]
        self.changed.append(old)
        gone = old["metadata"]["uid"]
        for (child_kind, ns, child), manifest in list(self.objects.items()):
            owners = manifest["metadata"].get("ownerReferences") or []
            if owners and all(owner["uid"] == gone for owner in owners):
                self.delete(child_kind, child, ns)

    def one(self, kind: str, name: str, namespace: str = "shop") -> Manifest:
        return self.objects[(kind, namespace, name)]

    def all(self, kind: str) -> list[Manifest]:
        return [m for (k, _, _), m in sorted(self.objects.items()) if k == kind]

    def condition(self, kind: str, name: str, type_: str) -> tuple[str, str, str] | None:
        """Status, reason and message of a condition; None when it is not there."""
        for found in self.one(kind, name).get("status", {}).get("conditions", []):
            if found["type"] == type_:
                return found["status"], found["reason"], found["message"]
        return None

    def assert_nothing_was_changed_in_place(self) -> None:
        """Readers hand out what they keep; whoever changes that changes the world without a write."""
        for place, manifest in self.objects.items():
            assert json.dumps(manifest) == self._as_stored[place], f"{place} was changed in place"

    def _store(self, manifest: Manifest) -> Manifest:
        place = _place(manifest)
        old = self.objects.get(place)
        if old is not None and _without_version(old) == _without_version(manifest):
            return old  # the API server writes no no-op either
        self._version += 1
        made = copy.deepcopy(manifest)
        made["metadata"]["resourceVersion"] = str(self._version)
        self.objects[place] = made
        self._as_stored[place] = json.dumps(made)
        self.changed.append(made)
        return made


def _place(manifest: Manifest) -> Place:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _without_version(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": metadata}
