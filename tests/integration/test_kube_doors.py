"""Cache, watch, writer and lease against the real API server: what a stand-in cannot show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from ninefold.api import labels
from ninefold.api.base import API_VERSION
from ninefold.controllers.actions import Apply, ApplyStatus, Create, Delete, Emit, Manifest, ObjectRef, Replace
from ninefold.kube.apply import ClusterWriter
from ninefold.kube.cache import WatchCache
from ninefold.kube.client import KubeClient
from ninefold.kube.errors import KubeError
from ninefold.kube.lease import Lease, Timing
from ninefold.kube.reader import ClusterReader
from ninefold.kube.resources import AGENT, CONFIG_MAP, LEASE
from ninefold.kube.watch import watch
from testbed import ControlPlane
from testbed.fixtures import Kubectl

pytestmark = pytest.mark.integration

PATIENCE = 20.0
"""Seconds that an event may take on a busy machine."""


def an_agent(namespace: str, name: str = "a") -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "model": {"name": "m"},
            "components": [{"name": "system", "text": "Be kind."}],
            "traces": {"backendRef": {"name": "b"}},
            "success": {"score": "s"},
            "delivery": {"configMap": f"{name}-prompts"},
        },
    }


def a_config_map(namespace: str, name: str = "c", *, ours: bool = True, **data: str) -> Manifest:
    marks = {labels.MANAGED_BY: labels.MANAGER, labels.AGENT: "a"} if ours else {}
    metadata = {"namespace": namespace, "name": name, "labels": marks}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def ref_of(manifest: Manifest) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectRef(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"], metadata["uid"])


class Listener:
    """A cache that is fed by the watch, and a way to wait for what it hears."""

    def __init__(self, namespace: str) -> None:
        self._changed = asyncio.Event()
        self.cache = WatchCache([namespace], lambda manifest: self._changed.set())

    async def until(self, seen: Callable[[WatchCache], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not seen(self.cache):
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def listening(self, client: KubeClient, namespace: str) -> AsyncIterator[None]:
        up = asyncio.Event()
        ears = asyncio.create_task(watch(self.cache, client.configuration, (namespace,), up))
        await up.wait()
        try:
            yield
        finally:
            ears.cancel()
            with suppress(asyncio.CancelledError):
                await ears


@pytest.fixture
def cache() -> WatchCache:
    return WatchCache()


@pytest.fixture
def writer(client: KubeClient, cache: WatchCache) -> ClusterWriter:
    return ClusterWriter(client, cache, "test", lambda kind, verb: None)


@pytest.fixture
async def agent(client: KubeClient, cache: WatchCache, namespace: str) -> Manifest:
    """An Agent that the cache knows."""
    made = await client.create(AGENT, an_agent(namespace))
    cache.put(made)
    return made


async def test_the_watch_tells_of_what_is_made_changed_and_deleted_and_of_nothing_else(
    client: KubeClient, namespace: str
) -> None:
    listener = Listener(namespace)
    cache = listener.cache
    before = await client.create(CONFIG_MAP, a_config_map(namespace, "before"))
    await cache.prime(client)
    assert cache.get("ConfigMap", namespace, "before") is not None
    async with listener.listening(client, namespace):
        await client.create(CONFIG_MAP, a_config_map(namespace, "foreign", ours=False))
        made = await client.create(CONFIG_MAP, a_config_map(namespace, "made"))
        await listener.until(lambda cache: cache.get("ConfigMap", namespace, "made") is not None)
        found = cache.get("ConfigMap", namespace, "made")
        assert found is not None
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        assert "managedFields" not in found["metadata"]
        await client.create(AGENT, an_agent(namespace))
        await listener.until(lambda cache: cache.get("Agent", namespace, "a") is not None)
        await client.delete(CONFIG_MAP, namespace, "before", before["metadata"]["uid"])
        await listener.until(lambda cache: cache.get("ConfigMap", namespace, "before") is None)
        relabelled = {**made, "metadata": {**made["metadata"], "labels": {}}}
        await client.replace(CONFIG_MAP, relabelled)
        await listener.until(lambda cache: cache.get("ConfigMap", namespace, "made") is None)
        assert cache.get("ConfigMap", namespace, "foreign") is None


async def test_the_watch_writes_nothing(client: KubeClient, namespace: str, installed: ControlPlane) -> None:
    listener = Listener(namespace)
    agent = await client.create(AGENT, an_agent(namespace))
    async with listener.listening(client, namespace):
        await listener.until(lambda cache: cache.get("Agent", namespace, "a") is not None)
    assert await client.get(AGENT, namespace, "a") == agent


async def test_the_reader_finds_unlabelled_config_maps_live(client: KubeClient, namespace: str) -> None:
    reader = ClusterReader(WatchCache(), client, artifacts=None)  # type: ignore[arg-type]
    await client.create(CONFIG_MAP, a_config_map(namespace, "texts", ours=False, system="Be kind."))
    found = await reader.get("ConfigMap", namespace, "texts")
    assert found is not None
    assert found["data"] == {"system": "Be kind."}
    assert await reader.get("ConfigMap", namespace, "absent") is None
    assert await reader.list("Pod", namespace, {"job-name": "none"}) == []


async def test_a_long_list_comes_in_pages(client: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.kube.client.PAGE", 2)
    for n in range(5):
        await client.create(CONFIG_MAP, a_config_map(namespace, f"c{n}"))
    items, version = await client.list_all(CONFIG_MAP, namespace, CONFIG_MAP.selector)
    assert [item["metadata"]["name"] for item in items] == [f"c{n}" for n in range(5)]
    assert items[0]["kind"] == "ConfigMap"
    assert version > 0


async def test_a_status_is_applied_whole_and_leaves_the_spec_alone(
    client: KubeClient, namespace: str, writer: ClusterWriter, agent: Manifest
) -> None:
    await writer.perform(ApplyStatus(ref_of(agent), {"stableVersion": "v1-0123456789", "observedGeneration": 1}, "m"))
    await writer.perform(ApplyStatus(ref_of(agent), {"observedGeneration": 1}, "m"))
    found = await client.get(AGENT, namespace, "a")
    assert found is not None
    assert found["status"] == {"observedGeneration": 1}
    assert found["spec"] == agent["spec"]


async def test_a_status_is_not_written_on_a_namesake_of_which_nobody_has_heard_yet(
    client: KubeClient, namespace: str, writer: ClusterWriter, agent: Manifest
) -> None:
    await client.delete(AGENT, namespace, "a", None)
    await client.create(AGENT, an_agent(namespace))
    with pytest.raises(KubeError) as caught:
        await writer.perform(ApplyStatus(ref_of(agent), {"observedGeneration": 1}, "m"))
    assert caught.value.conflict
    found = await client.get(AGENT, namespace, "a")
    assert found is not None
    assert "status" not in found


async def test_the_same_status_twice_makes_no_new_version(writer: ClusterWriter, agent: Manifest) -> None:
    action = ApplyStatus(ref_of(agent), {"observedGeneration": 1}, "m")
    first, second = await writer.perform(action), await writer.perform(action)
    assert first is not None
    assert second is not None
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_a_status_that_the_schema_refuses_names_the_field(writer: ClusterWriter, agent: Manifest) -> None:
    with pytest.raises(KubeError, match=r"refused to apply Agent .*observedGeneration") as caught:
        await writer.perform(ApplyStatus(ref_of(agent), {"observedGeneration": "first"}, "m"))
    assert caught.value.status in (400, 422, 500)


async def test_creating_and_deleting_twice_is_once(client: KubeClient, namespace: str, writer: ClusterWriter) -> None:
    first = await writer.perform(Create(a_config_map(namespace)))
    second = await writer.perform(Create(a_config_map(namespace)))
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert await writer.perform(Delete(ref_of(first))) is None
    assert await writer.perform(Delete(ref_of(first))) is None
    third = await writer.perform(Create(a_config_map(namespace)))
    assert third is not None
    await writer.perform(Delete(ref_of(first)))
    assert await client.get(CONFIG_MAP, namespace, "c") is not None, "the namesake made later is not touched"


async def test_a_foreign_object_of_our_name_is_not_touched(
    client: KubeClient, namespace: str, writer: ClusterWriter
) -> None:
    await client.create(CONFIG_MAP, a_config_map(namespace, ours=False, text="theirs"))
    with pytest.raises(KubeError, match="belongs to somebody else"):
        await writer.perform(Create(a_config_map(namespace, text="ours")))


async def test_a_replace_needs_the_version_that_was_read(
    client: KubeClient, namespace: str, writer: ClusterWriter
) -> None:
    first = await writer.perform(Create(a_config_map(namespace, n="1")))
    assert first is not None
    await writer.perform(Apply(a_config_map(namespace, n="2"), "m"))
    with pytest.raises(KubeError) as caught:
        await writer.perform(Replace({**first, "data": {"n": "3"}}))
    assert caught.value.conflict


async def test_an_event_is_told_once_and_shown_by_kubectl(
    writer: ClusterWriter, kubectl: Kubectl, agent: Manifest
) -> None:
    emit = Emit(ref_of(agent), "Normal", "Promoted", "Promoted: v2 is served", "u/Promoted/True")
    await writer.perform(emit)
    await writer.perform(emit)
    shown = kubectl("events", "--for=agent.ninefold.dev/a").stdout
    assert shown.count("v2 is served") == 1


async def test_a_missing_right_is_told_with_verb_and_resource(
    installed: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ninefold.kube.client import load_configuration

    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig("ninefold-operator")))
    async with KubeClient(await load_configuration()) as nobody:
        with pytest.raises(KubeError) as caught:
            await WatchCache([namespace]).prime(nobody)
    assert 'cannot list resource "tracebackends" in API group "ninefold.dev"' in caught.value.message
    assert "Give the operator's Role or ClusterRole this verb" in caught.value.message


async def test_the_lease_changes_hands_on_the_real_server(client: KubeClient, namespace: str) -> None:
    timing = Timing(retry=0.05)
    one, two = (Lease(client, namespace, "ninefold", name, timing) for name in ("one", "two"))
    await one.acquire()
    keeping = asyncio.create_task(one.keep())
    waiting = asyncio.create_task(two.acquire())
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    assert (one.is_held, two.is_held) == (True, False)
    keeping.cancel()
    await one.release()
    await asyncio.wait_for(waiting, PATIENCE)
    lease = await client.get(LEASE, namespace, "ninefold")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 2
