"""kopf as a pair of ears: it lists and watches, and all that it hears goes into the cache.

Nothing else of kopf is used. Finalizers, annotations, peering, timers, indexes and events of its own would write to
objects that Git owns; `on.event` handlers alone write nothing. The scan for CRDs and namespaces at run time is off,
for it needs rights on the whole cluster that the operator has no other use for.

How it ends: kopf returns when it is told to stop, and raises on what it cannot get over (a watch that is forbidden,
an unknown error event). Then the process must end and start anew, which is a normal path here.
"""

import asyncio
import logging
from typing import Any

import kopf
from kopf._core.engines.peering import Identity
from kubernetes.aio.client import Configuration

from ninefold.kube.cache import WatchCache, place_of, version_of
from ninefold.kube.resources import WATCHED, Resource

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
IDENTITY = Identity("ninefold")
"""Named, for kopf would else ask who is logged in, and a pod's user has a number but no name: it would end there."""


async def watch(
    cache: WatchCache, configuration: Configuration, namespaces: tuple[str, ...], listening: asyncio.Event
) -> None:
    """Feed the cache until told to stop. `listening` is set once kopf runs, and has set its signal handlers."""
    registry = kopf.OperatorRegistry()
    _log_in_as(configuration, registry)
    for resource in WATCHED:
        _listen(resource, cache, registry)
    await kopf.operator(
        registry=registry,
        settings=_settings(),
        standalone=True,
        identity=IDENTITY,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=listening,
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.connect_timeout = CONNECT_SECONDS
    settings.watching.chunk_size = 500
    for resource in WATCHED:
        if resource.selector:
            settings.watching.label_selectors[_selector(resource)] = resource.selector
    return settings


def _selector(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural


def _listen(resource: Resource, cache: WatchCache, registry: kopf.OperatorRegistry) -> None:
    async def heard(event: Any, **_: Any) -> None:
        told: dict[str, Any] = event["object"]
        # A copy as deep as the cache changes it: kopf goes on with its own.
        manifest = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **told,
            "metadata": dict(told["metadata"]),
        }
        if event["type"] == "DELETED":
            uid = manifest["metadata"]["uid"]
            cache.remove(resource.kind, *place_of(manifest), uid, version_of(manifest))
        else:
            cache.put(manifest)

    kopf.on.event(*_selector(resource), registry=registry, id=f"heard-{resource.plural}")(heard)


def _log_in_as(configuration: Configuration, registry: kopf.OperatorRegistry) -> None:
    """Both clients use the same credentials; kopf asks again whenever the server says 401."""

    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        header = await configuration.get_api_key_with_prefix("BearerToken") or ""
        scheme, _separator, token = header.strip().rpartition(" ")
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            username=configuration.username or None,
            password=configuration.password or None,
            scheme=scheme or None,
            token=token or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            proxy_url=configuration.proxy,
        )

    kopf.on.login(registry=registry, id="log-in")(log_in)
