"""What the watched part of the cluster looks like, as far as we have heard; and how to know that we hear well.

Three things feed the cache, in any order and with repetitions:

- **The prime**: one paginated list of every watched kind before any worker starts. From then on, what is not in the
  cache is not in the cluster, up to the watch's delay; a plan may take absence for a fact and, say, create a version.
- **The watch**: an event for each change.
- **Our own writes**: the object that the API server returned, put in at once, so that the next plan sees what the last
  one did and does not do it again.

Of two versions of an object the one with the higher resource version wins (they are comparable integers, KEP-5504), and
what was deleted stays deleted: UIDs are never used again, so a late message about a dead one is dropped.

A watch can go deaf without an error, and after a gap (410 Gone) kopf lists anew but does not tell what has vanished
meanwhile. Hence the **audit**: now and then the kinds are listed, and what the watch has not delivered `PATIENCE`
seconds later is put right by hand. Missing news of living objects makes the watch `deaf`, which the health probe tells.
"""

import asyncio
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ninefold.api import labels
from ninefold.api.base import GROUP
from ninefold.controllers.actions import Manifest
from ninefold.controllers.objects import Kept, field_of
from ninefold.controllers.ports import INDEXED_FIELDS, Key
from ninefold.kube.client import KubeClient
from ninefold.kube.resources import BY_KIND, WATCHED, Resource

PATIENCE = 30.0
"""Seconds that a watch may be behind a list. Events arrive within one; reconnecting may take some more."""
GRAVES = 10_000
"""Deleted UIDs that are remembered; messages about them are late by seconds, not by thousands of objects."""

Place = tuple[str, str]
"""Namespace and name."""
_Entry = tuple[str, str, str]
"""Namespace, one of our labels or an indexed field, and its value."""


@dataclass
class _Shelf:
    """The objects of one kind: by namespace and name, and their names by what they can be looked up by."""

    objects: dict[str, dict[str, Manifest]] = field(default_factory=lambda: defaultdict(dict))
    names: dict[_Entry, set[str]] = field(default_factory=lambda: defaultdict(set))

    def get(self, namespace: str, name: str) -> Manifest | None:
        return self.objects.get(namespace, {}).get(name)

    def put(self, manifest: Manifest) -> None:
        namespace, name = place_of(manifest)
        self.drop(namespace, name)
        self.objects[namespace][name] = manifest
        for entry in _entries(manifest):
            self.names[entry].add(name)

    def drop(self, namespace: str, name: str) -> None:
        manifest = self.objects.get(namespace, {}).pop(name, None)
        if manifest is None:
            return
        for entry in _entries(manifest):
            self.names[entry].discard(name)
            if not self.names[entry]:
                del self.names[entry]

    def select(self, namespace: str, wanted: dict[str, str], fields: dict[str, str]) -> list[Manifest]:
        """Objects with all the labels and fields, by name. What is indexed is looked up, other labels are compared."""
        objects = self.objects.get(namespace, {})
        keys = [*(item for item in wanted.items() if _is_ours(item[0])), *fields.items()]
        indexed = [self.names.get((namespace, key, value), set()) for key, value in keys]
        names: Iterable[str] = set.intersection(*indexed) if indexed else objects
        return [objects[name] for name in sorted(names) if _has(objects[name], wanted)]

    def __iter__(self) -> Iterator[Manifest]:
        for objects in self.objects.values():
            yield from objects.values()


class WatchCache:
    """Objects of the watched kinds in the watched namespaces. Objects in it must not be changed.

    `changed` is called with every object that is new, newer than what was here, or gone (as last seen), once the cache
    shows it; not for the prime.
    """

    def __init__(
        self, namespaces: Iterable[str] = (), changed: Callable[[Manifest], None] = lambda manifest: None
    ) -> None:
        self._changed = changed
        self.namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.deaf: str | None = None
        """A sentence while the watch is known not to deliver."""
        self._shelves = {resource.kind: _Shelf() for resource in WATCHED}
        self._graves: OrderedDict[str, float] = OrderedDict()
        """Deleted UIDs, with the newest version that is known to be over."""

    # ------------------------------------------------------------------ read

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self._shelves[kind].get(namespace, name)

    def select(
        self,
        kind: str,
        namespace: str,
        wanted: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        """Objects of a kind in a namespace with all the labels and values of indexed fields, ordered by name."""
        assert set(fields or {}) <= set(INDEXED_FIELDS.get(kind, ())), "only indexed fields can be asked for"
        return self._shelves[kind].select(namespace, wanted or {}, fields or {})

    def everything(self, resource: Resource) -> list[Manifest]:
        """All objects of a kind, in all watched namespaces."""
        return list(self._shelves[resource.kind])

    def keys(self, resources: Iterable[Resource]) -> list[Key]:
        """A key for every object of these kinds."""
        return [
            Key(resource.kind, *place_of(manifest))
            for resource in resources
            for manifest in self._shelves[resource.kind]
        ]

    # ------------------------------------------------------------------ feed

    def put(self, manifest: Manifest) -> bool:
        """Take in an object as the API server told it. False: it is older than what is here, dead, or not watched."""
        if not self._take_in(manifest):
            return False
        self._changed(manifest)
        return True

    def _take_in(self, manifest: Manifest) -> bool:
        if not _is_watched(manifest):
            return False  # nobody would tell us when it changes
        metadata, version = manifest["metadata"], version_of(manifest)
        known = self.get(manifest["kind"], *place_of(manifest))
        if version <= self._graves.get(metadata["uid"], 0) or (known is not None and version <= version_of(known)):
            return False
        # A third of an object's bytes, and no plan reads who set which field.
        metadata.pop("managedFields", None)
        self._shelves[manifest["kind"]].put(Kept(manifest))
        return True

    def remove(self, kind: str, namespace: str, name: str, uid: str, version: float = math.inf) -> None:
        """This UID is gone, or no longer has our label. A namesake made since then stays.

        `version` is the resource version at which it went: what is newer is no late message but a return.
        """
        self._graves[uid] = version
        if len(self._graves) > GRAVES:
            self._graves.popitem(last=False)
        known = self.get(kind, namespace, name)
        if known is not None and known["metadata"]["uid"] == uid:
            self._shelves[kind].drop(namespace, name)
            self._changed(known)

    async def prime(self, client: KubeClient) -> None:
        """Fill an empty cache. Raises KubeError."""
        for resource in WATCHED:
            for namespace in self.namespaces:
                items, _ = await client.list_all(resource, namespace, resource.selector)
                for item in items:
                    self._take_in(item)

    # ------------------------------------------------------------------ audit

    async def audit(self, client: KubeClient, patience: float = PATIENCE) -> None:
        """Compare with fresh lists, and put right what the watch has not delivered after `patience` seconds.

        Sets or clears `deaf`. Raises KubeError when the lists cannot be had.
        """
        news: list[Manifest] = []
        gone: list[Manifest] = []
        for resource in WATCHED:
            for namespace in self.namespaces:
                items, version = await client.list_all(resource, namespace, resource.selector)
                # Only what differs is kept while we wait: the lists together are as large as the cache.
                news += [item for item in items if self._is_news(item)]
                gone += self._absent(resource, namespace, {place_of(item) for item in items}, version)
        await asyncio.sleep(patience)
        missed = [item for item in news if self.put(item)]
        vanished = [item for item in gone if self.get(item["kind"], *place_of(item)) is item]
        for item in vanished:
            self.remove(item["kind"], *place_of(item), item["metadata"]["uid"])
        self.deaf = _deaf(missed, patience)

    def _is_news(self, item: Manifest) -> bool:
        known = self.get(item["kind"], *place_of(item))
        return known is None or version_of(known) < version_of(item)

    def _absent(self, resource: Resource, namespace: str | None, there: set[Place], version: int) -> list[Manifest]:
        """Objects that the list of that version should have shown, had they still been there."""
        return [
            known
            for known in self._shelves[resource.kind]
            if namespace in (None, place_of(known)[0]) and place_of(known) not in there and version_of(known) <= version
        ]


def place_of(manifest: Manifest) -> Place:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def version_of(manifest: Manifest) -> int:
    return int(manifest["metadata"]["resourceVersion"])


def _is_watched(manifest: Manifest) -> bool:
    resource = BY_KIND[manifest["kind"]]
    return resource in WATCHED and (not resource.selector or _has(manifest, {labels.MANAGED_BY: labels.MANAGER}))


def _deaf(missed: list[Manifest], patience: float) -> str | None:
    if not missed:
        return None
    first = missed[0]
    return (
        f"the watch has not told of {len(missed)} changes within {patience:.0f} s, among them "
        f"{first['kind']} {'/'.join(place_of(first))}: restarting is right"
    )


def _is_ours(label: str) -> bool:
    return label.startswith(f"{GROUP}/")


def _entries(manifest: Manifest) -> list[_Entry]:
    metadata = manifest["metadata"]
    ours = [(key, value) for key, value in (metadata.get("labels") or {}).items() if _is_ours(key)]
    fields = [(path, field_of(manifest, path)) for path in INDEXED_FIELDS.get(manifest["kind"], ())]
    return [(metadata["namespace"], key, value) for key, value in [*ours, *fields] if value is not None]


def _has(manifest: Manifest, wanted: dict[str, str]) -> bool:
    found = manifest["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in wanted.items())
