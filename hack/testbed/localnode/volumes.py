"""Volumes of a pod as directories of this machine.

Content volumes (ConfigMap, Secret, downward API, projected) are written as kubelet writes them: the
files live in a dated directory, `..data` is a link to it, and each visible name is a link through
`..data`. An update writes a new directory and swaps the one link, so a reader sees all old files or
all new ones, and a program that watches for the swap, as agents do, sees it here too.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.localnode.api import Api
from testbed.localnode.environment import ConfigError, pod_field, referenced_data
from testbed.localnode.mounts import normal
from testbed.localnode.objects import Object

TOKEN_RENEWAL = 0.8
"""A projected token is asked for anew after this share of its lifetime, as kubelet does."""

Files = dict[str, bytes]


class Volumes:
    """The volumes of one pod: prepared before its first container, refreshed while it runs."""

    def __init__(self, api: Api, pod: Object, directory: Path) -> None:
        self._api = api
        self._pod = pod
        self._directory = directory
        self._paths: dict[str, Path] = {}
        self._tokens: dict[str, tuple[float, bytes]] = {}

    async def prepare(self) -> None:
        """Make every volume; `ConfigError` when something that one of them needs is not there."""
        for volume in self._pod["spec"].get("volumes", []):
            self._paths[volume["name"]] = await self._make(volume)

    async def refresh(self) -> None:
        """Bring content volumes up to date; what has vanished meanwhile keeps its last content."""
        for volume in self._pod["spec"].get("volumes", []):
            if _has_content(volume):
                try:
                    publish(self._paths[volume["name"]], await self._content(volume))
                except ConfigError:
                    continue

    def mounts(self, container: Object) -> dict[str, Path]:
        """Where the container's mount paths really are."""
        result = {}
        for mount in container.get("volumeMounts", []):
            real = self._paths[mount["name"]]
            result[normal(mount["mountPath"])] = real / mount["subPath"] if "subPath" in mount else real
        return result

    async def _make(self, volume: Object) -> Path:
        path: Path = self._directory / volume["name"]
        if "hostPath" in volume:
            return _host_path(volume["hostPath"])
        if claim := volume.get("persistentVolumeClaim"):
            return await self._claimed(claim["claimName"])
        if not _has_content(volume) and "emptyDir" not in volume:
            raise ConfigError(f"volume {volume['name']}: no such volume type on the local node")
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
        if _has_content(volume):
            publish(path, await self._content(volume))
        return path

    async def _content(self, volume: Object) -> Files:
        files: Files = {}
        for source in volume["projected"]["sources"] if "projected" in volume else [volume]:
            files |= await self._source(source)
        return files

    async def _source(self, source: Object) -> Files:
        for kind in ("configMap", "secret"):
            if reference := source.get(kind):
                data = await referenced_data(self._api, self._pod, kind, reference)
                return _selected(data or {}, reference)
        if fields := source.get("downwardAPI"):
            return {
                item["path"]: pod_field(self._pod, item["fieldRef"]["fieldPath"]).encode()
                for item in fields.get("items", [])
                if "fieldRef" in item
            }
        if token := source.get("serviceAccountToken"):
            return {token["path"]: await self._token(token)}
        raise ConfigError(f"projected source is not supported by the local node: {sorted(source)}")

    async def _token(self, wanted: Mapping[str, Any]) -> bytes:
        """A token of the pod's service account, bound to the pod, from the TokenRequest API."""
        audience, seconds = wanted.get("audience", ""), wanted.get("expirationSeconds", 3600)
        renew_at, token = self._tokens.get(audience, (0.0, b""))
        if time.monotonic() < renew_at:
            return token
        meta, account = self._pod["metadata"], self._pod["spec"].get("serviceAccountName", "default")
        bound_to = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        answer = await self._api.call(
            "POST",
            f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token",
            body={
                "spec": {
                    "audiences": [audience] if audience else [],
                    "expirationSeconds": seconds,
                    "boundObjectRef": bound_to,
                }
            },
        )
        token = str(answer["status"]["token"]).encode()
        self._tokens[audience] = (time.monotonic() + TOKEN_RENEWAL * seconds, token)
        return token

    async def _claimed(self, claim_name: str) -> Path:
        namespace = self._pod["metadata"]["namespace"]
        claim = await self._api.find(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim_name}")
        if claim is None:
            raise ConfigError(f'persistentvolumeclaim "{claim_name}" not found')
        if claim.get("status", {}).get("phase") != "Bound":
            raise ConfigError(f'persistentvolumeclaim "{claim_name}" is not bound')
        volume = await self._api.call("GET", f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
        if "hostPath" not in volume["spec"]:
            raise ConfigError(f'persistentvolumeclaim "{claim_name}": only hostPath volumes work here')
        return _host_path(volume["spec"]["hostPath"])


def publish(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make `files` the visible content of the directory in one atomic step; no-op if they are."""
    current = directory / "..data"
    if current.exists() and _read(current) == files:
        return
    fresh = directory / f"..{time.time_ns()}"
    fresh.mkdir()
    for name, content in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    stale = current.resolve() if current.exists() else None
    link = directory / "..data_tmp"
    link.symlink_to(fresh.name)
    link.replace(current)
    visible = {name.split("/")[0] for name in files}
    for name in visible:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in visible:
            entry.unlink()
    if stale:
        shutil.rmtree(stale)


def _read(directory: Path) -> Files:
    paths = [Path(base) / name for base, _, names in os.walk(directory) for name in names]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def _has_content(volume: Object) -> bool:
    return any(kind in volume for kind in ("configMap", "secret", "downwardAPI", "projected"))


def _selected(data: Files, reference: Mapping[str, Any]) -> Files:
    """All keys, or those of `items` under their paths."""
    if "items" not in reference:
        return data
    chosen = {}
    for item in reference["items"]:
        if item["key"] in data:
            chosen[item["path"]] = data[item["key"]]
        elif not reference.get("optional"):
            raise ConfigError(f"references non-existent config key: {item['key']}")
    return chosen


def _host_path(source: Mapping[str, Any]) -> Path:
    path = Path(source["path"])
    if source.get("type") == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    if source.get("type") and not path.exists():
        raise ConfigError(f"hostPath type check failed: {path} is not a {source['type']}")
    return path
