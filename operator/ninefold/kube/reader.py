"""What plans read through: the cache for what is watched, the API server for the little that is not, Redis for bytes.

Not watched, hence read live: ConfigMaps without our label (component texts that Git owns, a pointer that is not ours)
and Pods, of which a plan wants those of one ended Job, once. Such reads see others' changes only when the key is looked
at, at the latest at the next resync.
"""

from ninefold.api.run import ArtifactRef
from ninefold.controllers.actions import Manifest
from ninefold.controllers.ports import ArtifactProblem
from ninefold.kube.cache import WatchCache
from ninefold.kube.client import KubeClient
from ninefold.kube.resources import BY_KIND, CONFIG_MAP, WATCHED
from ninefold.store import ArtifactError, ArtifactStore

_CACHED = frozenset(resource.kind for resource in WATCHED)


class ClusterReader:
    """`ports.Reader` of the real cluster. Raises KubeError and StoreUnavailableError; both pass by themselves."""

    def __init__(self, cache: WatchCache, client: KubeClient, artifacts: ArtifactStore) -> None:
        self._cache = cache
        self._client = client
        self._artifacts = artifacts

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        if kind in _CACHED:
            found = self._cache.get(kind, namespace, name)
            if found is not None or kind != CONFIG_MAP.kind:
                return found
        return await self._client.get(BY_KIND[kind], namespace, name)

    async def list(
        self,
        kind: str,
        namespace: str,
        labels: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        if kind in _CACHED:
            return self._cache.select(kind, namespace, labels, fields)
        assert not fields, "only kinds in the cache can be listed by fields"
        selector = ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
        items, _ = await self._client.list_all(BY_KIND[kind], namespace, selector)
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    async def artifact(self, ref: ArtifactRef) -> bytes:
        try:
            return await self._artifacts.get(ref)
        except ArtifactError as error:
            raise ArtifactProblem(error.reason, error.message) from error
