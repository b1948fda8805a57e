"""A small stand-in for `KubeClient`: objects in a dictionary with resource versions, and failures on demand.

What the real server does beyond that is tried in tests/integration.
"""

import asyncio
import itertools
from typing import Any

from ninefold.controllers.actions import Manifest
from ninefold.kube.errors import KubeError
from ninefold.kube.resources import Resource


class Server:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.requests: list[tuple[str, str]] = []
        self.arrivals: asyncio.Queue[str] = asyncio.Queue()
        self.fail_next: KubeError | None = None
        self.down = False
        self._versions = itertools.count(1)
        self.version = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        self._arrive("get", resource)
        return self.objects.get((resource.kind, namespace, name))

    async def list_all(
        self, resource: Resource, namespace: str | None, selector: str = ""
    ) -> tuple[list[Manifest], int]:
        self._arrive("list", resource)
        found = [o for (kind, ns, _), o in self.objects.items() if kind == resource.kind and namespace in (None, ns)]
        return [copy(o) for o in found], self.version

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        self._arrive("create", resource)
        if _place(resource, manifest) in self.objects:
            raise KubeError(409, "AlreadyExists", "already exists")
        return self.store(resource.kind, manifest)

    async def apply(self, resource: Resource, manifest: Manifest, manager: str, subresource: str = "") -> Manifest:
        self._arrive("apply", resource)
        old = self.objects.get(_place(resource, manifest))
        if subresource and old is None:
            raise KubeError(404, "NotFound", "not found")
        if old is not None and manifest["metadata"].get("resourceVersion") not in (None, _version(old)):
            raise KubeError(409, "Conflict", "conflict")
        return self.store(resource.kind, {**(old or {}), **manifest, "metadata": (old or manifest)["metadata"]})

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        self._arrive("replace", resource)
        old = self.objects.get(_place(resource, manifest))
        if old is None:
            raise KubeError(404, "NotFound", "not found")
        if _version(old) != manifest["metadata"]["resourceVersion"]:
            raise KubeError(409, "Conflict", "conflict")
        return self.store(resource.kind, manifest)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str | None) -> Manifest:
        self._arrive("delete", resource)
        old = self.objects.get((resource.kind, namespace, name))
        if old is None:
            raise KubeError(404, "NotFound", "not found")
        if uid not in (None, old["metadata"]["uid"]):
            raise KubeError(409, "Conflict", "uid does not match")
        if old["metadata"].get("finalizers"):
            return self.store(resource.kind, {**old, "metadata": {**old["metadata"], "deletionTimestamp": "now"}})
        del self.objects[(resource.kind, namespace, name)]
        return {"kind": "Status", "status": "Success"}

    def store(self, kind: str, manifest: Manifest) -> Manifest:
        """Write as somebody else would: past every check."""
        self.version = next(self._versions)
        metadata: dict[str, Any] = {"uid": f"uid-{self.version}", **manifest["metadata"]}
        metadata["resourceVersion"] = str(self.version)
        stored = {**manifest, "kind": kind, "metadata": metadata}
        self.objects[(kind, metadata["namespace"], metadata["name"])] = stored
        return copy(stored)

    def _arrive(self, verb: str, resource: Resource) -> None:
        self.requests.append((verb, resource.kind))
        self.arrivals.put_nowait(verb)
        if self.down:
            raise KubeError(0, "Unreachable", "no answer")
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error


def copy(manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": dict(manifest["metadata"])}


def _place(resource: Resource, manifest: Manifest) -> tuple[str, str, str]:
    return resource.kind, manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])
