"""The one who writes. Each action of a plan is one request, may be done twice, and lands in the cache at once.

What makes a write safe stands in the write itself, because the plan was made from a copy of the world: a UID where an
object is meant and not its name, a resource version where a whole object is replaced, deterministic names where
something is created. A refusal ends the reconcile with a sentence and the key comes back later; the world may have
become another one by then.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from ninefold.api.artifacts import sha256
from ninefold.api.base import GROUP
from ninefold.controllers.actions import (
    Action,
    Apply,
    ApplyStatus,
    Create,
    Delete,
    Emit,
    Manifest,
    ObjectRef,
    Replace,
)
from ninefold.kube.cache import WatchCache
from ninefold.kube.client import KubeClient
from ninefold.kube.errors import KubeError
from ninefold.kube.resources import BY_KIND, EVENT

log = logging.getLogger(__name__)

CONTROLLER = f"{GROUP}/operator"
NOTE_BYTES = 1024
"""The API server's bound of an event's note."""

Counter = Callable[[str, str], None]
"""Called with kind and verb of each write."""


class ClusterWriter:
    """`ports.Writer` of the real cluster. `instance` names this process in events; raises KubeError."""

    def __init__(self, client: KubeClient, cache: WatchCache, instance: str, count: Counter) -> None:
        self._client = client
        self._cache = cache
        self._instance = instance
        self._count = count

    async def perform(self, action: Action) -> Manifest | None:
        match action:
            case Create(manifest):
                return await self._create(manifest)
            case Apply(manifest, manager):
                self._count(manifest["kind"], "apply")
                return self._keep(await self._client.apply(BY_KIND[manifest["kind"]], manifest, manager))
            case Replace(manifest):
                self._count(manifest["kind"], "replace")
                return self._keep(await self._client.replace(BY_KIND[manifest["kind"]], manifest))
            case ApplyStatus(ref, status, manager):
                return await self._apply_status(ref, status, manager)
            case Delete(ref):
                return await self._delete(ref)
            case Emit():
                await self._emit(action)
                return None

    async def _create(self, manifest: Manifest) -> Manifest:
        resource, metadata = BY_KIND[manifest["kind"]], manifest["metadata"]
        self._count(resource.kind, "create")
        try:
            return self._keep(await self._client.create(resource, manifest))
        except KubeError as error:
            if not error.already_exists:
                raise
            found = await self._client.get(resource, metadata["namespace"], metadata["name"])
            if found is None:
                raise  # deleted in this very moment: the next try creates it
            if not is_ours(found, manifest):
                raise KubeError(
                    409,
                    "NotOurs",
                    f"{resource.kind} {metadata['namespace']}/{metadata['name']} exists and belongs to somebody else: "
                    "rename or delete it; Ninefold does not touch it",
                ) from None
            return self._keep(found)

    async def _apply_status(self, ref: ObjectRef, status: Manifest, manager: str) -> Manifest:
        """Only over the version that the cache shows: an apply to a status heeds no UID, and what a plan says of one
        object would else end up on a namesake that was made a moment ago."""
        known = self._cache.get(ref.kind, ref.namespace, ref.name)
        if known is None or ref.uid not in (None, known["metadata"]["uid"]):
            what = f"{ref.kind} {ref.namespace}/{ref.name}"
            raise KubeError(404, "NotFound", f"{what} is no longer the object that the plan was about")
        self._count(ref.kind, "status")
        metadata = {key: known["metadata"][key] for key in ("namespace", "name", "resourceVersion")}
        body = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "status": status}
        try:
            return self._keep(await self._client.apply(BY_KIND[ref.kind], body, manager, "status"))
        except KubeError as error:
            if error.not_found:
                self._cache.remove(ref.kind, ref.namespace, ref.name, known["metadata"]["uid"])
            raise

    async def _delete(self, ref: ObjectRef) -> Manifest | None:
        self._count(ref.kind, "delete")
        try:
            answer = await self._client.delete(BY_KIND[ref.kind], ref.namespace, ref.name, ref.uid)
        except KubeError as error:
            if not (error.not_found or error.conflict):
                raise
            answer = {"kind": "Status"}  # gone, or a namesake is there now
        if answer["kind"] != "Status":
            return self._keep(answer)  # its finalizers are at work
        if ref.uid:
            self._cache.remove(ref.kind, ref.namespace, ref.name, ref.uid)
        return None

    async def _emit(self, event: Emit) -> None:
        self._count(EVENT.kind, "create")
        try:
            await self._client.create(EVENT, event_manifest(event, self._instance, datetime.now(UTC)))
        except KubeError as error:
            if error.already_exists:
                return
            if not 400 <= error.status < 500:
                raise
            # An event is for the eye. One that is refused must not keep the status from being written.
            log.warning("%s", error.message)

    def _keep(self, manifest: Manifest) -> Manifest:
        self._cache.put(manifest)
        return manifest


def is_ours(found: Manifest, wanted: Manifest) -> bool:
    """Whether an object that is there already is the one that we meant to create: same labels, same owner's UID."""
    has = found["metadata"].get("labels") or {}
    labels = wanted["metadata"].get("labels") or {}
    return all(has.get(key) == value for key, value in labels.items()) and _owners(wanted) <= _owners(found)


def _owners(manifest: Manifest) -> set[str]:
    return {owner["uid"] for owner in manifest["metadata"].get("ownerReferences") or []}


def event_manifest(event: Emit, instance: str, now: datetime) -> Manifest:
    """The events.k8s.io/v1 object. Its name is a hash of its key, so telling a transition twice tells it once."""
    ref = event.ref
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"namespace": ref.namespace, "name": f"{ref.name}.{sha256(event.key.encode())[:16]}"},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "action": event.reason,
        "reason": event.reason,
        "type": event.type,
        "note": event.message.encode()[:NOTE_BYTES].decode(errors="ignore"),
        "regarding": {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            **({"uid": ref.uid} if ref.uid else {}),
        },
    }
