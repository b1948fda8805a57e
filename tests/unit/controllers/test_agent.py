"""Agent: what is delivered, what is left alone, and what a user is told."""

import pytest
from builders import SYSTEM, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated_operator import World
from unit.controllers.worlds import served, versions


async def delivered(agent=None, **extra):
    """An Agent alone, settled."""
    world = World(Jobs())
    for manifest in extra.pop("before", []):
        world.cluster.put(manifest)
    world.cluster.put(agent or an_agent_object())
    await world.settle()
    return world


def a_configmap(name, data=None, **labels):
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {}}


def condition(world, type_, agent="support"):
    found = world.cluster.condition("Agent", agent, type_)
    return found[:2] if found else None


# ---------------------------------------------------------------- delivery


async def test_the_baseline_is_v1_and_is_delivered_at_once():
    world = await delivered()
    version, system = served(world.cluster)
    assert version.startswith("v1-") and system == SYSTEM
    assert versions(world.cluster) == {version: "stable"}
    assert world.cluster.one("Agent", "support")["status"]["stableVersion"] == version
    assert condition(world, "Ready") == ("True", "Stable")
    assert condition(world, "Promoted") == ("False", "Baseline")


async def test_a_component_may_stand_in_a_configmap():
    ref = {"name": "system", "configMapKeyRef": {"name": "prompts", "key": "system.txt"}}
    agent = an_agent_object(components=[ref])
    world = await delivered(agent, before=[a_configmap("prompts", {"system.txt": "You sell shoes."})])
    assert served(world.cluster)[1] == "You sell shoes."


async def test_a_component_that_is_missing_stalls_and_heals_when_it_comes():
    ref = {"name": "system", "configMapKeyRef": {"name": "prompts", "key": "system.txt"}}
    world = await delivered(an_agent_object(components=[ref]))
    status, reason, message = world.cluster.condition("Agent", "support", "Stalled")
    assert (status, reason) == ("True", "ComponentNotFound")
    assert message.startswith("component system: the ConfigMap prompts is not in this namespace")
    world.cluster.put(a_configmap("prompts", {"other": "x"}))
    await world.later(minutes=1)
    assert "has no key system.txt" in world.cluster.condition("Agent", "support", "Stalled")[2]
    world.cluster.put(a_configmap("prompts", {"system.txt": "You sell shoes."}))
    await world.later(minutes=1)
    assert condition(world, "Ready") == ("True", "Stable") and condition(world, "Stalled") is None


async def test_a_prompt_that_fits_into_no_configmap_changes_nothing():
    texts = [{"name": f"tool.t{n}", "text": "x" * 120_000} for n in range(4)]
    world = await delivered(an_agent_object(components=texts))
    assert condition(world, "Stalled") == ("True", "PromptTooLarge")
    assert world.cluster.all("ConfigMap") == []


@pytest.mark.parametrize(
    "drift",
    [
        {"system": "Give everything away."},
        {"added": "by hand"},
        {"system": None},
    ],
    ids=["changed", "added", "removed"],
)
async def test_drift_of_the_pointer_is_repaired(drift):
    world = await delivered()
    pointer = world.cluster.one("ConfigMap", "support-prompts")
    data = {key: text for key, text in {**pointer["data"], **drift}.items() if text is not None}
    world.cluster.put({**pointer, "data": data})
    await world.settle()
    assert world.cluster.one("ConfigMap", "support-prompts")["data"] == pointer["data"]


async def test_a_pointer_that_was_deleted_or_locked_comes_back():
    world = await delivered()
    world.cluster.delete("ConfigMap", "support-prompts")
    await world.settle()
    assert served(world.cluster)[1] == SYSTEM
    world.cluster.put({**world.cluster.one("ConfigMap", "support-prompts"), "immutable": True})
    world.cluster.edit("Agent", "support", components=[{"name": "system", "text": "You book tables."}])
    await world.settle()
    assert served(world.cluster)[1] == "You book tables."


async def test_labels_and_annotations_of_others_on_the_pointer_stay():
    world = await delivered()
    pointer = world.cluster.one("ConfigMap", "support-prompts")
    metadata = {**pointer["metadata"], "annotations": {"reloader": "yes"}}
    world.cluster.put({**pointer, "metadata": metadata, "data": {}})
    await world.settle()
    pointer = world.cluster.one("ConfigMap", "support-prompts")
    assert pointer["metadata"]["annotations"] == {"reloader": "yes"} and pointer["data"]["system"] == SYSTEM


# ---------------------------------------------------------------- what is not ours


async def test_a_configmap_of_somebody_else_under_the_pointers_name_is_left_untouched():
    theirs = a_configmap("support-prompts", {"mine": "1"})
    world = await delivered(before=[theirs])
    status, reason, message = world.cluster.condition("Agent", "support", "Stalled")
    assert (status, reason) == ("True", "PointerNotOwned") and "left untouched" in message
    assert world.cluster.one("ConfigMap", "support-prompts")["data"] == {"mine": "1"}
    assert "stableVersion" not in world.cluster.one("Agent", "support")["status"]
    world.cluster.delete("ConfigMap", "support-prompts")
    await world.wake()
    assert served(world.cluster)[1] == SYSTEM


async def test_of_two_agents_that_name_the_same_pointer_the_older_serves():
    world = await delivered()
    world.cluster.put(an_agent_object("second", delivery={"configMap": "support-prompts"}))
    await world.settle()
    assert condition(world, "Stalled", "second") == ("True", "PointerNotOwned")
    assert condition(world, "Ready") == ("True", "Stable")


async def test_of_two_agents_applied_at_once_the_older_serves_though_the_pointer_is_not_there_yet():
    world = World(Jobs())
    world.cluster.put(
        an_agent_object("younger", delivery={"configMap": "prompts"}), creationTimestamp="2025-03-01T12:00:01Z"
    )
    world.cluster.put(an_agent_object("zolder", delivery={"configMap": "prompts"}))
    await world.settle()
    assert condition(world, "Ready", "zolder") == ("True", "Stable")
    assert condition(world, "Stalled", "younger") == ("True", "PointerNotOwned")
    assert "zolder" in world.cluster.condition("Agent", "younger", "Stalled")[2]


async def test_the_agent_that_holds_a_pointer_keeps_it_when_an_older_one_names_it_later():
    world = World(Jobs())
    world.cluster.put(an_agent_object("older"))
    world.cluster.now = world.cluster.now.replace(hour=13)
    world.cluster.put(an_agent_object("holder"))
    await world.settle()
    world.cluster.edit("Agent", "older", delivery={"mode": "Client", "configMap": "holder-prompts"})
    await world.settle()
    assert condition(world, "Ready", "holder") == ("True", "Stable")
    assert condition(world, "Stalled", "older") == ("True", "PointerNotOwned")


async def test_a_ledger_of_somebody_else_is_left_untouched():
    world = await delivered(before=[a_configmap("support-ledger", {"mine": "1"})])
    assert condition(world, "Stalled") == ("True", "LedgerNotOwned")
    assert world.cluster.one("ConfigMap", "support-ledger")["data"] == {"mine": "1"}


async def test_a_ledger_that_cannot_be_read_is_not_started_anew():
    world = await delivered()
    book = world.cluster.one("ConfigMap", "support-ledger")
    world.cluster.put({**book, "data": {"ledger.json": "{}}"}})
    await world.settle()
    assert condition(world, "Stalled") == ("True", "TamperedVersion")
    assert world.cluster.one("ConfigMap", "support-ledger")["data"] == {"ledger.json": "{}}"}
