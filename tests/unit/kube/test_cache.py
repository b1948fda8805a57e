"""The cache's promises: newest wins, dead stays dead, own writes are seen at once, deafness is noticed."""

from typing import Any

import pytest
from kube_standin import Server

from ninefold.api import labels
from ninefold.controllers.actions import Manifest
from ninefold.controllers.ports import AGENT_OF_POLICY, Key
from ninefold.kube.cache import WatchCache
from ninefold.kube.resources import AGENT, CONFIG_MAP, RECONCILED


def an_object(kind: str = "Agent", name: str = "a", version: int = 1, uid: str = "u", **metadata: Any) -> Manifest:
    return {
        "kind": kind,
        "metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version), **metadata},
    }


def ours(name: str, version: int = 1, **marks: str) -> Manifest:
    marks = {labels.MANAGED_BY: labels.MANAGER, **{f"ninefold.dev/{key}": value for key, value in marks.items()}}
    return an_object("ConfigMap", name, version, uid=f"uid-{name}", labels=marks)


class Heard(list[tuple[str, str]]):
    def __call__(self, manifest: Manifest) -> None:
        self.append((manifest["metadata"]["name"], manifest["metadata"]["resourceVersion"]))


def test_the_newer_version_wins_whatever_the_order_of_arrival() -> None:
    heard = Heard()
    cache = WatchCache(changed=heard)
    assert cache.put(an_object(version=10))
    assert not cache.put(an_object(version=9))
    assert not cache.put(an_object(version=10))
    assert cache.put(an_object(version=100))
    assert heard == [("a", "10"), ("a", "100")]


def test_what_was_deleted_does_not_come_back_by_a_late_message() -> None:
    cache = WatchCache()
    cache.put(an_object(version=10))
    cache.remove("Agent", "ns", "a", "u", 12)
    assert not cache.put(an_object(version=11))
    assert cache.get("Agent", "ns", "a") is None


def test_a_namesake_made_later_is_another_object_and_survives_the_news_of_the_first_ones_death() -> None:
    heard = Heard()
    cache = WatchCache(changed=heard)
    cache.put(an_object(version=10, uid="first"))
    cache.put(an_object(version=20, uid="second"))
    cache.remove("Agent", "ns", "a", "first", 15)
    found = cache.get("Agent", "ns", "a")
    assert found is not None
    assert found["metadata"]["uid"] == "second"
    assert heard == [("a", "10"), ("a", "20")]


def test_an_object_that_lost_our_label_is_gone_and_may_return() -> None:
    cache = WatchCache()
    cache.put(ours("c", 10))
    cache.remove("ConfigMap", "ns", "c", "uid-c", 11)
    assert cache.get("ConfigMap", "ns", "c") is None
    assert cache.put(ours("c", 12))


def test_what_the_watch_would_not_tell_about_is_not_kept() -> None:
    cache = WatchCache()
    assert not cache.put(an_object("ConfigMap", "foreign"))
    assert not cache.put(an_object("Pod", "p"))
    assert cache.get("ConfigMap", "ns", "foreign") is None


def test_the_bytes_that_no_plan_reads_are_dropped() -> None:
    cache = WatchCache()
    cache.put(an_object(managedFields=[{"manager": "kubectl"}]))
    found = cache.get("Agent", "ns", "a")
    assert found is not None
    assert "managedFields" not in found["metadata"]


def test_objects_are_selected_by_all_labels_and_ordered_by_name() -> None:
    cache = WatchCache()
    for name, agent, role in (
        ("b", "x", "version"),
        ("a", "x", "version"),
        ("c", "x", "ledger"),
        ("d", "y", "version"),
    ):
        cache.put(ours(name, agent=agent, role=role))
    names = [
        o["metadata"]["name"] for o in cache.select("ConfigMap", "ns", {labels.AGENT: "x", labels.ROLE: "version"})
    ]
    assert names == ["a", "b"]
    assert len(cache.select("ConfigMap", "ns", {labels.MANAGED_BY: labels.MANAGER})) == 4
    assert cache.select("ConfigMap", "ns", {labels.AGENT: "x", labels.MANAGED_BY: "helm"}) == []
    assert cache.select("ConfigMap", "elsewhere", {labels.AGENT: "x"}) == []


def test_an_index_follows_a_label_that_changes() -> None:
    cache = WatchCache()
    cache.put(ours("a", 1, stage="candidate"))
    cache.put(ours("a", 2, stage="stable"))
    assert cache.select("ConfigMap", "ns", {labels.STAGE: "candidate"}) == []
    assert len(cache.select("ConfigMap", "ns", {labels.STAGE: "stable"})) == 1


def a_policy(name: str, agent: str, version: int = 1) -> Manifest:
    return {**an_object("OptimizationPolicy", name, version, name), "spec": {"agentRef": {"name": agent}}}


def test_objects_are_found_by_the_fields_that_refer_to_others() -> None:
    cache = WatchCache()
    for name, agent in (("q", "x"), ("p", "x"), ("r", "y")):
        cache.put(a_policy(name, agent))
    found = cache.select("OptimizationPolicy", "ns", fields={AGENT_OF_POLICY: "x"})
    assert [policy["metadata"]["name"] for policy in found] == ["p", "q"]
    cache.put(a_policy("p", "y", version=2))
    cache.remove("OptimizationPolicy", "ns", "q", "q")
    assert cache.select("OptimizationPolicy", "ns", fields={AGENT_OF_POLICY: "x"}) == []
    with pytest.raises(AssertionError, match="only indexed fields"):
        cache.select("OptimizationPolicy", "ns", fields={"spec.mode": "Promote"})


async def test_a_primed_cache_knows_every_object_and_told_nobody() -> None:
    server, heard = Server(), Heard()
    server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}})
    server.store("OptimizationPolicy", {"metadata": {"namespace": "ns", "name": "p"}})
    cache = WatchCache(changed=heard)
    await cache.prime(server)  # type: ignore[arg-type]
    assert set(cache.keys(RECONCILED)) == {Key("Agent", "ns", "a"), Key("OptimizationPolicy", "ns", "p")}
    assert heard == []


async def test_only_the_watched_namespaces_are_listed() -> None:
    server = Server()
    for namespace in ("one", "two", "three"):
        server.store("Agent", {"metadata": {"namespace": namespace, "name": "a"}})
    cache = WatchCache(["one", "two"])
    await cache.prime(server)  # type: ignore[arg-type]
    assert {key.namespace for key in cache.keys([AGENT])} == {"one", "two"}


async def audited(cache: WatchCache, server: Server) -> None:
    await cache.audit(server, patience=0)  # type: ignore[arg-type]


async def test_an_audit_of_a_watch_that_delivers_finds_nothing() -> None:
    server, heard = Server(), Heard()
    cache = WatchCache(changed=heard)
    cache.put(server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}}))
    heard.clear()
    await audited(cache, server)
    assert (cache.deaf, heard) == (None, [])


async def test_a_watch_that_does_not_deliver_is_deaf_and_what_it_missed_is_put_right() -> None:
    server, heard = Server(), Heard()
    cache = WatchCache(changed=heard)
    server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}})
    await audited(cache, server)
    assert cache.deaf is not None
    assert "1 changes" in cache.deaf
    assert "Agent ns/a" in cache.deaf
    assert heard == [("a", "1")]
    await audited(cache, server)
    assert cache.deaf is None


async def test_what_vanished_during_a_gap_is_noticed_and_makes_nobody_deaf() -> None:
    server, heard = Server(), Heard()
    cache = WatchCache(changed=heard)
    cache.put(server.store("Agent", {"metadata": {"namespace": "ns", "name": "a"}}))
    server.objects.clear()
    heard.clear()
    await audited(cache, server)
    assert cache.get("Agent", "ns", "a") is None
    assert (cache.deaf, heard) == (None, [("a", "1")])


async def test_what_was_made_after_the_list_is_not_taken_for_vanished() -> None:
    server = Server()
    cache = WatchCache()
    cache.put(an_object(version=server.version + 5))
    await audited(cache, server)
    assert cache.get("Agent", "ns", "a") is not None


async def test_a_refused_list_is_an_error_and_changes_nothing() -> None:
    server = Server()
    server.down = True
    cache = WatchCache()
    cache.put(ours("c"))
    with pytest.raises(Exception, match="no answer"):
        await audited(cache, server)
    assert cache.everything(CONFIG_MAP)
