"""The Node object and its heartbeat.

Two writes keep a node `Ready` in the eyes of the node lifecycle controller: its status, written once,
and its Lease, renewed every ten seconds. Both are made again if somebody deletes them.
"""

import asyncio
import logging
import os
import platform
from datetime import UTC, datetime

from kubernetes.aio.client import ApiException

from testbed.localnode.api import UNREACHABLE, Api
from testbed.localnode.objects import LEASES, Object
from testbed.localnode.status import ADDRESS, timestamp

HEARTBEAT_SECONDS = 10.0
"""kubelet's own interval; the controller waits for five of them before it taints the node."""

LEASE_SECONDS = 40

log = logging.getLogger("localnode")


async def stay_registered(api: Api, name: str, port: int | None) -> None:
    """Create the node, then renew its lease for ever. `port` is where its logs are served."""
    registered = False
    while True:
        try:
            if not registered or await api.find(f"/api/v1/nodes/{name}") is None:
                await _register(api, name, port)
                registered = True
            await _renew_lease(api, name)
        except (ApiException, *UNREACHABLE) as error:
            log.warning("heartbeat: %s", error)
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(HEARTBEAT_SECONDS)


async def _register(api: Api, name: str, port: int | None) -> None:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": _architecture()}
    node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    try:
        await api.call("POST", "/api/v1/nodes", body=node)
    except ApiException as error:
        if error.status != 409:
            raise
    await api.insist("PATCH", f"/api/v1/nodes/{name}/status", {"status": _node_status(name, port)})


async def _renew_lease(api: Api, name: str) -> None:
    spec = {
        "holderIdentity": name,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if await api.insist("PATCH", f"{LEASES}/{name}", {"spec": spec}) is None:
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
        await api.insist("POST", LEASES, lease)


def _node_status(name: str, port: int | None) -> Object:
    now = timestamp()
    memory_kib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory_kib}Ki", "pods": "1000"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "LocalNodeReady",
        "message": "a test bed: pods run as processes of this machine",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    unknown = dict.fromkeys(("machineID", "systemUUID", "bootID", "osImage", "kubeProxyVersion"), "")
    return {
        "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": name}],
        "allocatable": capacity,
        "capacity": capacity,
        "conditions": [ready],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}} if port else {},
        "nodeInfo": unknown
        | {
            "architecture": _architecture(),
            "containerRuntimeVersion": "processes://local",
            "kernelVersion": platform.release(),
            "kubeletVersion": "v0.0.0-ninefold-testbed",
            "operatingSystem": "linux",
        },
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
