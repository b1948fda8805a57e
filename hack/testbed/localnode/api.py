"""The API server as plain JSON: what the node needs of `kubernetes.aio`, and no models.

A node passes objects through and patches parts of them; the generated models would only drop what
they don't know. Transport, TLS, credentials, error types and the watch are the official client's.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, CoreV1Api
from kubernetes.aio.config import new_client_from_config
from kubernetes.aio.watch import Watch

from testbed.localnode.objects import Object

STRATEGIC = "application/strategic-merge-patch+json"
"""The patch that merges conditions by type, so that those of other writers stay."""

UNREACHABLE = (aiohttp.ClientError, OSError, asyncio.TimeoutError)
"""What a request raises while the API server is down."""

OVERLOADED = (429, 500, 503, 504)
"""Answers of a server that is starting, stopping or busy: the same request may succeed soon."""

WATCH_SECONDS = 240
"""The server ends a watch after this; below the client's own limit of five minutes a request."""

RETRY_SECONDS = 0.3
"""Between two attempts at an API server that does not answer: it is local and soon back."""

log = logging.getLogger("localnode")


class Api:
    """Requests to one API server; errors are `ApiException` and `UNREACHABLE`."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @staticmethod
    @asynccontextmanager
    async def connect(kubeconfig: Path) -> AsyncIterator["Api"]:
        client = await new_client_from_config(str(kubeconfig), persist_config=False)  # type: ignore[no-untyped-call]
        async with client:
            yield Api(client)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request; the answer's JSON."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        request = await self._client.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = await self._client.call_api(*request)
        content: bytes = await response.read()  # type: ignore[no-untyped-call]
        if not 200 <= response.status <= 299:
            ApiException.from_response(http_resp=response, body=content.decode(), data=None)
        answer: Object = json.loads(content)
        return answer

    async def find(self, path: str) -> Object | None:
        """The object at this path, or None."""
        try:
            return await self.call("GET", path)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    async def insist(self, method: str, path: str, body: Object) -> Object | None:
        """One write, repeated until the API server is there to answer it.

        None if it refused: the object is gone or another one (404, 409), or the log says why.
        """
        content_type = STRATEGIC if method == "PATCH" else "application/json"
        while True:
            try:
                return await self.call(method, path, body=body, content_type=content_type)
            except UNREACHABLE:
                await asyncio.sleep(RETRY_SECONDS)
            except ApiException as error:
                if error.status not in OVERLOADED:
                    if error.status not in (404, 409):
                        log.error("%s %s: %s", method, path, error)
                    return None
                await asyncio.sleep(RETRY_SECONDS)

    async def pods(self) -> AsyncIterator[tuple[list[Object], bool]]:
        """All pods, for ever: `(pods, True)` for a complete list, `([pod], False)` for a change.

        A change carries the pod's newest state; a deleted pod comes as its last state with
        `deleted` set in a private key, see `is_gone`. A broken or expired watch (410) leads to a
        new list, from which the reader learns what it missed.
        """
        while True:
            try:
                listing = await self.call("GET", "/api/v1/pods")
                yield listing["items"], True
                version = listing["metadata"]["resourceVersion"]
                async for pod in self._changes(version):
                    yield [pod], False
            except ApiException as error:
                if error.status != 410:
                    log.warning("watching pods: %s %s", error.status, error.reason)
                    await asyncio.sleep(RETRY_SECONDS)
            except UNREACHABLE:
                await asyncio.sleep(RETRY_SECONDS)

    async def _changes(self, version: str) -> AsyncIterator[Object]:
        core = CoreV1Api(self._client)
        while True:
            watch = Watch("object")  # type: ignore[no-untyped-call]
            stream = watch.stream(  # type: ignore[no-untyped-call]
                core.list_pod_for_all_namespaces,
                resource_version=version,
                timeout_seconds=WATCH_SECONDS,
                allow_watch_bookmarks=True,
            )
            async with watch:
                async for event in stream:
                    version = watch.resource_version or version
                    if event["type"] == "DELETED":
                        yield event["raw_object"] | {GONE: True}
                    elif event["type"] != "BOOKMARK":
                        yield event["raw_object"]


GONE = "_gone"


def is_gone(pod: Object) -> bool:
    """Whether the pod no longer exists in the API."""
    return GONE in pod
