"""The API server over `kubernetes.aio`: objects go in and come out as the JSON that the server stores.

The generated models of the client are left aside: plans are made of JSON, and a model that does not know a field would
drop it on the way back. What remains is five verbs, one error, and a timeout for every request, so that no reconcile
hangs on a connection that died.
"""

import asyncio
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

import ninefold
from ninefold.controllers.actions import Manifest
from ninefold.kube.errors import KubeError, refusal, silence
from ninefold.kube.resources import Resource

REQUEST_SECONDS = 30.0
"""Above the server's own limits for the requests that we make."""
PAGE = 500
"""Objects a page of a list, as client-go takes them."""

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
"""JSON is YAML; servers before 1.33 know no other name for it."""


async def load_configuration() -> Configuration:
    """Where the API server is and who we are: `KUBECONFIG`, else the pod's service account, else `~/.kube/config`.

    Raises ValueError with a sentence when there is none of them.
    """
    configuration = Configuration()
    if file := _kubeconfig():
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=file, client_configuration=configuration, persist_config=False
        )
    elif "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        raise ValueError("there is no way to the API server: set KUBECONFIG, or run in a pod with a service account")
    return configuration


def _kubeconfig() -> str | None:
    if file := os.environ.get("KUBECONFIG"):
        return file
    default = Path("~/.kube/config").expanduser()
    return str(default) if "KUBERNETES_SERVICE_HOST" not in os.environ and default.exists() else None


class KubeClient:
    """One connection pool to the API server, as an async context manager. Every method raises `KubeError`."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._api = ApiClient(configuration)
        self._api.user_agent = f"ninefold/{ninefold.__version__}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """One object, or None."""
        try:
            return await self.request("GET", resource.path(namespace, name), f"get {_name(resource, namespace, name)}")
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def list_all(
        self, resource: Resource, namespace: str | None, selector: str = ""
    ) -> tuple[list[Manifest], int]:
        """All objects that match the selector, in pages, and the resource version of the list."""
        what = f"list {resource.plural} in {namespace or 'all namespaces'}"
        while True:
            try:
                return await self._pages(resource, namespace, selector, what)
            except KubeError as error:
                # The server has forgotten the list between two pages: it starts again, on a newer state.
                if error.status != 410:
                    raise

    async def _pages(
        self, resource: Resource, namespace: str | None, selector: str, what: str
    ) -> tuple[list[Manifest], int]:
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        items: list[Manifest] = []
        while True:
            page = await self.request("GET", resource.path(namespace), what, query=query)
            # Items of a list come without their type.
            items += ({"apiVersion": resource.api_version, "kind": resource.kind} | item for item in page["items"])
            metadata = page["metadata"]
            if not metadata.get("continue"):
                return items, int(metadata["resourceVersion"])
            query["continue"] = metadata["continue"]

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        namespace, name = _place(manifest)
        what = f"create {_name(resource, namespace, name)}"
        return await self.request("POST", resource.path(namespace), what, body=manifest)

    async def apply(self, resource: Resource, manifest: Manifest, manager: str, subresource: str = "") -> Manifest:
        """Server-side apply; our fields are taken from whoever else set them."""
        namespace, name = _place(manifest)
        what = f"apply {_name(resource, namespace, name)}" + (f" {subresource}" if subresource else "")
        query = {"fieldManager": manager, "force": "true"}
        path = resource.path(namespace, name, subresource)
        return await self.request("PATCH", path, what, query=query, body=manifest, content_type=APPLY)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Write a whole object; with a resource version in it, only over that version."""
        namespace, name = _place(manifest)
        what = f"replace {_name(resource, namespace, name)}"
        return await self.request("PUT", resource.path(namespace, name), what, body=manifest)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str | None) -> Manifest:
        """Delete in the background, only this UID. Returns the object while finalizers hold it, else a Status."""
        body: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        what = f"delete {_name(resource, namespace, name)}"
        return await self.request("DELETE", resource.path(namespace, name), what, body=body)

    async def request(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """One request. `what` says what is tried, for the error."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await self._api.param_serialize(
                    method,
                    path,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": JSON, "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                response = await self._api.call_api(*request)
                data = await response.read()  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
            raise silence(what, error) from error
        if not 200 <= response.status <= 299:
            raise refusal(what, response.status, data)
        answer: dict[str, Any] = json.loads(data)
        return answer


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _name(resource: Resource, namespace: str, name: str) -> str:
    return f"{resource.kind} {namespace}/{name}"
