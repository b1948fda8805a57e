"""Actions done twice are done once; what is not ours stays untouched; refusals are sentences."""

from datetime import UTC, datetime

import pytest
from kube_standin import Server

from ninefold.api import labels
from ninefold.api.base import API_VERSION
from ninefold.controllers.actions import Action, Apply, ApplyStatus, Create, Delete, Emit, Manifest, ObjectRef, Replace
from ninefold.kube.apply import ClusterWriter, event_manifest
from ninefold.kube.cache import WatchCache
from ninefold.kube.errors import KubeError, refusal


def a_config_map(name: str = "c", owner: str = "agent-uid", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "namespace": "ns",
            "name": name,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.AGENT: "a"},
            "ownerReferences": [{"uid": owner}],
        },
        "data": data,
    }


def an_agent_ref(uid: str) -> ObjectRef:
    return ObjectRef(API_VERSION, "Agent", "ns", "a", uid)


class Bed:
    def __init__(self) -> None:
        self.server = Server()
        self.cache = WatchCache()
        self.counted: list[tuple[str, str]] = []
        self.writer = ClusterWriter(self.server, self.cache, "pod-1", lambda *what: self.counted.append(what))  # type: ignore[arg-type]

    async def do(self, action: Action) -> Manifest | None:
        return await self.writer.perform(action)


@pytest.fixture
def bed() -> Bed:
    return Bed()


async def test_what_was_created_is_in_the_cache_at_once(bed: Bed) -> None:
    await bed.do(Create(a_config_map(text="hello")))
    found = bed.cache.get("ConfigMap", "ns", "c")
    assert found is not None
    assert found["data"] == {"text": "hello"}
    assert bed.counted == [("ConfigMap", "create")]


async def test_creating_twice_is_creating_once(bed: Bed) -> None:
    first = await bed.do(Create(a_config_map()))
    second = await bed.do(Create(a_config_map()))
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] == second["metadata"]["uid"]


@pytest.mark.parametrize(
    "other",
    [
        a_config_map(owner="a namesake that was deleted"),
        {**a_config_map(), "metadata": {"namespace": "ns", "name": "c"}},
    ],
)
async def test_what_belongs_to_somebody_else_is_not_adopted(bed: Bed, other: Manifest) -> None:
    stored = bed.server.store("ConfigMap", other)
    with pytest.raises(KubeError, match="ConfigMap ns/c exists and belongs to somebody else"):
        await bed.do(Create(a_config_map()))
    assert bed.server.objects["ConfigMap", "ns", "c"]["metadata"]["uid"] == stored["metadata"]["uid"]


async def test_a_replace_over_a_newer_version_is_a_conflict(bed: Bed) -> None:
    first = await bed.do(Create(a_config_map(n="1")))
    assert first is not None
    bed.server.store("ConfigMap", {**first, "data": {"n": "somebody's"}})
    with pytest.raises(KubeError) as caught:
        await bed.do(Replace({**first, "data": {"n": "2"}}))
    assert caught.value.conflict


async def test_an_apply_and_a_status_land_in_the_cache(bed: Bed) -> None:
    await bed.do(Apply(a_config_map(n="1"), "ninefold-agent"))
    assert bed.cache.get("ConfigMap", "ns", "c") is not None
    agent = bed.server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}})
    bed.cache.put(agent)
    await bed.do(ApplyStatus(an_agent_ref(agent["metadata"]["uid"]), {"stableVersion": "v1"}, "ninefold-agent"))
    found = bed.cache.get("Agent", "ns", "a")
    assert found is not None
    assert found["status"] == {"stableVersion": "v1"}
    assert bed.counted == [("ConfigMap", "apply"), ("Agent", "status")]


async def test_a_status_of_an_object_that_is_gone_removes_it_from_the_cache(bed: Bed) -> None:
    agent = bed.server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}})
    bed.cache.put(agent)
    bed.server.objects.clear()
    with pytest.raises(KubeError) as caught:
        await bed.do(ApplyStatus(an_agent_ref(agent["metadata"]["uid"]), {}, "m"))
    assert caught.value.not_found
    assert bed.cache.get("Agent", "ns", "a") is None


async def test_a_status_is_neither_written_over_news_nor_on_a_namesake(bed: Bed) -> None:
    agent = bed.server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}})
    bed.cache.put(agent)
    status = ApplyStatus(an_agent_ref(agent["metadata"]["uid"]), {}, "m")
    news = bed.server.store("Agent", agent)
    with pytest.raises(KubeError) as caught:
        await bed.do(status)
    assert caught.value.conflict
    bed.cache.put(news)
    await bed.do(status)
    bed.cache.put(bed.server.store("Agent", {"metadata": {"namespace": "ns", "name": "a", "uid": "a namesake"}}))
    with pytest.raises(KubeError, match="no longer the object that the plan was about"):
        await bed.do(status)


async def test_deleting_twice_is_deleting_once(bed: Bed) -> None:
    stored = await bed.do(Create(a_config_map()))
    assert stored is not None
    ref = ObjectRef("v1", "ConfigMap", "ns", "c", stored["metadata"]["uid"])
    assert await bed.do(Delete(ref)) is None
    assert bed.cache.get("ConfigMap", "ns", "c") is None
    assert await bed.do(Delete(ref)) is None


async def test_a_namesake_made_later_is_not_deleted(bed: Bed) -> None:
    bed.server.store("ConfigMap", a_config_map())
    await bed.do(Delete(ObjectRef("v1", "ConfigMap", "ns", "c", "the first one")))
    assert ("ConfigMap", "ns", "c") in bed.server.objects


async def test_what_its_finalizers_hold_stays_in_the_cache_as_ending(bed: Bed) -> None:
    held = a_config_map()
    held["metadata"]["finalizers"] = ["somebody/else"]
    stored = bed.server.store("ConfigMap", held)
    await bed.do(Delete(ObjectRef("v1", "ConfigMap", "ns", "c", stored["metadata"]["uid"])))
    found = bed.cache.get("ConfigMap", "ns", "c")
    assert found is not None
    assert "deletionTimestamp" in found["metadata"]


def an_event(key: str = "k") -> Emit:
    return Emit(an_agent_ref("agent-uid"), "Normal", "Promoted", "v2 is served", key)


async def test_the_same_transition_is_told_once(bed: Bed) -> None:
    await bed.do(an_event())
    await bed.do(an_event())
    await bed.do(an_event("another transition"))
    assert len([1 for kind, *_ in bed.server.objects if kind == "Event"]) == 2


async def test_an_event_that_is_refused_stops_nobody_but_silence_does(bed: Bed) -> None:
    bed.server.fail_next = KubeError(403, "Forbidden", "no")
    assert await bed.do(an_event()) is None
    bed.server.down = True
    with pytest.raises(KubeError):
        await bed.do(an_event())


def test_an_event_says_about_what_it_is_and_fits_the_servers_bounds() -> None:
    emit = Emit(an_agent_ref("agent-uid"), "Warning", "Failed", "€" * 1000, "k")
    event = event_manifest(emit, "pod-1", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert event["regarding"]["uid"] == "agent-uid"
    assert event["eventTime"] == "2026-01-02T03:04:05.000006Z"
    assert len(event["note"].encode()) <= 1024
    assert len(event["metadata"]["name"]) <= 253


@pytest.mark.parametrize(
    ("status", "body", "parts"),
    [
        (
            403,
            b'{"reason": "Forbidden", "message": "User x cannot patch resource agents/status"}',
            ["refused to apply Agent ns/a", "cannot patch resource", "Give the operator's Role"],
        ),
        (403, b'{"reason": "Forbidden", "message": "exceeded quota: pods=10"}', ["exceeded quota"]),
        (422, b'{"reason": "Invalid", "message": "spec.x: Required value"}', ["(422 Invalid)", "spec.x"]),
        (502, b"<html>bad gateway</html>", ["(502 Unknown)", "no reason given"]),
    ],
)
def test_a_refusal_is_a_sentence(status: int, body: bytes, parts: list[str]) -> None:
    error = refusal("apply Agent ns/a", status, body)
    for part in parts:
        assert part in error.message
    assert ("Give the operator" in error.message) == ("cannot" in body.decode())


def test_a_refused_value_is_not_repeated_whole() -> None:
    error = refusal("apply x", 422, b'{"reason": "Invalid", "message": "' + b"long prompt " * 1000 + b'"}')
    assert len(error.message) < 600
