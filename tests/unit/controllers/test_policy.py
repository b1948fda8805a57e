"""OptimizationPolicy: when runs start, who acts, and what is kept."""

from datetime import UTC, datetime

import pytest
from builders import a_backend_object, a_policy_object, a_run_object, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated_operator import World
from unit.controllers.worlds import a_world, end_of

RUN, POLICY = "OptimizationRun", "OptimizationPolicy"


def runs(world):
    return [run["metadata"]["name"] for run in world.cluster.all(RUN)]


def stalled(world, name="nightly"):
    found = world.cluster.condition(POLICY, name, "Stalled")
    return (found[1], found[2]) if found else None


def status(world, name="nightly"):
    return world.cluster.one(POLICY, name)["status"]


# ---------------------------------------------------------------- on apply


async def test_a_new_policy_starts_one_run_and_never_another_by_itself():
    world = a_world()
    await world.settle()
    await world.later(days=3)
    assert runs(world) == ["nightly-g1"]
    assert status(world)["lastRun"] == "nightly-g1" and status(world)["lastResult"] == "Promoted"


async def test_a_run_of_the_operator_is_owned_by_its_policy_and_labelled():
    world = a_world()
    await world.settle()
    metadata = world.cluster.one(RUN, "nightly-g1")["metadata"]
    owner = metadata["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"], owner["blockOwnerDeletion"]) == (
        POLICY,
        "nightly",
        True,
        False,
    )
    assert metadata["labels"]["ninefold.dev/policy"] == "nightly"


async def test_a_changed_spec_starts_one_run_more():
    world = a_world()
    await world.settle()
    world.cluster.edit(POLICY, "nightly", gate={"alpha": 0.01})
    await world.settle()
    assert runs(world) == ["nightly-g1", "nightly-g2"]
    assert status(world)["appliedGeneration"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"approval": {"required": True, "versions": ["0123456789"]}},
        {"history": {"successful": 9}},
        {"trigger": {"onApply": True, "schedule": "0 3 * * *"}},
        {"suspend": True},
    ],
    ids=["approval", "history", "trigger", "suspend"],
)
async def test_what_changes_no_result_starts_no_run(change):
    world = a_world()
    await world.settle()
    world.cluster.edit(POLICY, "nightly", **change)
    await world.settle()
    assert runs(world) == ["nightly-g1"]


async def test_changes_while_a_run_is_under_way_collapse_to_the_last():
    world = a_world(Jobs(analyze=None))
    await world.settle()
    for alpha in (0.01, 0.02, 0.03):
        world.cluster.edit(POLICY, "nightly", gate={"alpha": alpha})
        await world.settle()
    assert runs(world) == ["nightly-g1"]
    world.cluster.edit(RUN, "nightly-g1", cancel=True)
    await world.settle()
    assert runs(world) == ["nightly-g1", "nightly-g4"]


async def test_without_on_apply_only_schedules_and_people_start_runs():
    world = a_world(trigger={"onApply": False})
    await world.settle()
    assert runs(world) == []
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    assert end_of(world.cluster, "by-hand") == ("True", "Promoted")
    assert status(world)["lastRun"] == "by-hand"


async def test_a_long_name_leaves_room_for_what_started_the_run():
    world = World(Jobs())
    for manifest in (a_backend_object(), an_agent_object(), a_policy_object("a" * 40)):
        world.cluster.put(manifest)
    await world.settle()
    assert len(runs(world)) == 1 and len(runs(world)[0]) <= 40 and runs(world)[0].endswith("-g1")


async def test_a_namesake_that_is_not_ours_is_stepped_around():
    world = a_world(trigger={"onApply": False})
    world.cluster.put(a_run_object("nightly-g2"))
    await world.settle()
    world.cluster.edit(POLICY, "nightly", trigger={"onApply": True})
    await world.settle()
    ours = [run for run in runs(world) if run != "nightly-g2"]
    assert len(ours) == 1 and ours[0].startswith("nightly-g2-")


# ---------------------------------------------------------------- schedule (the clock starts at 2025-03-01 12:00)

DAILY = {"onApply": False, "schedule": "0 3 * * *"}


async def test_a_schedule_starts_a_run_named_by_its_minute():
    world = a_world(trigger=DAILY)
    await world.settle()
    assert status(world)["nextRunTime"] == "2025-03-02T03:00:00Z" and runs(world) == []
    world.cluster.now = datetime(2025, 3, 2, 3, 0, 4, tzinfo=UTC)
    await world.wake()
    assert runs(world) == ["nightly-202503020300"]
    assert status(world)["nextRunTime"] == "2025-03-03T03:00:00Z"


async def test_the_plan_says_when_to_look_again():
    world = a_world(trigger=DAILY)
    await world.settle()
    key = next(key for key in world.all_keys() if key.kind == POLICY)
    plan = await world.controllers[POLICY].plan(world.cluster, key, world.cluster.now)
    assert plan.again_at == datetime(2025, 3, 2, 3, 0, tzinfo=UTC)


async def test_schedules_that_were_missed_collapse_to_the_newest():
    world = a_world(trigger=DAILY)
    await world.settle()
    world.cluster.now = datetime(2025, 3, 8, 11, 0, tzinfo=UTC)
    await world.wake()
    assert runs(world) == ["nightly-202503080300"]


async def test_a_schedule_that_falls_due_during_a_run_starts_one_when_that_has_ended():
    world = a_world(Jobs(analyze=None), trigger={"schedule": "0 3 * * *"})
    await world.settle()
    world.cluster.now = datetime(2025, 3, 4, 3, 1, tzinfo=UTC)
    await world.wake()
    assert runs(world) == ["nightly-g1"]
    world.cluster.edit(RUN, "nightly-g1", cancel=True)
    await world.settle()
    assert runs(world) == ["nightly-202503040300", "nightly-g1"]


async def test_a_schedule_that_is_set_later_does_not_make_up_for_the_past():
    world = a_world(trigger={"onApply": False})
    await world.settle()
    world.cluster.now = datetime(2025, 3, 1, 23, 0, tzinfo=UTC)
    world.cluster.edit(POLICY, "nightly", trigger={"onApply": False, "schedule": "0 13 * * *"})
    await world.wake()
    assert runs(world) == [] and status(world)["nextRunTime"] == "2025-03-02T13:00:00Z"


async def test_a_promise_of_an_old_schedule_is_not_kept():
    world = a_world(trigger={"onApply": False, "schedule": "0 13 * * *"})
    await world.settle()
    world.cluster.now = datetime(2025, 3, 1, 13, 5, tzinfo=UTC)
    world.cluster.edit(POLICY, "nightly", trigger=DAILY)
    await world.wake()
    assert runs(world) == [] and status(world)["nextRunTime"] == "2025-03-02T03:00:00Z"


async def test_a_suspended_policy_starts_nothing_and_makes_up_for_nothing():
    world = a_world(trigger=DAILY, suspend=True)
    await world.settle()
    await world.later(days=2)
    assert runs(world) == [] and "nextRunTime" not in status(world)
    assert world.cluster.condition(POLICY, "nightly", "Ready")[:2] == ("True", "Suspended")
    world.cluster.edit(POLICY, "nightly", suspend=False)
    await world.settle()
    assert runs(world) == [] and status(world)["nextRunTime"] == "2025-03-04T03:00:00Z"


@pytest.mark.parametrize("schedule", ["61 3 * * *", "0 0 30 2 *", "a b c d e"])
async def test_a_schedule_that_names_no_time_stalls_with_what_to_write(schedule):
    world = a_world(trigger={"schedule": schedule})
    await world.settle()
    reason, message = stalled(world)
    assert reason == "InvalidSchedule" and schedule in message and "such as 0 3 * * *" in message
    world.cluster.edit(POLICY, "nightly", trigger={"schedule": "0 3 * * *"})
    await world.settle()
    assert stalled(world) is None and runs(world) == ["nightly-g2"]


# ---------------------------------------------------------------- what is missing


async def test_a_missing_agent_stalls_and_heals():
    world = World(Jobs())
    world.cluster.put(a_policy_object())
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    assert stalled(world)[0] == "AgentNotFound"
    assert world.cluster.condition(RUN, "by-hand", "Stalled")[1] == "AgentNotFound"
    world.cluster.put(an_agent_object())
    await world.settle()
    assert stalled(world)[0] == "TraceBackendNotFound"
    assert world.cluster.condition(RUN, "by-hand", "Stalled")[1] == "TraceBackendNotFound"
    world.cluster.put(a_backend_object())
    await world.settle()
    assert stalled(world) is None and end_of(world.cluster, "by-hand") == ("True", "Promoted")


async def test_a_run_without_a_policy_stalls_and_heals():
    world = World(Jobs())
    world.cluster.put(a_backend_object())
    world.cluster.put(an_agent_object())
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    assert world.cluster.condition(RUN, "by-hand", "Stalled")[1] == "PolicyNotFound"
    world.cluster.put(a_policy_object(trigger={"onApply": False}))
    await world.settle()
    assert end_of(world.cluster, "by-hand") == ("True", "Promoted")


async def test_the_oldest_policy_acts_and_the_other_says_which_that_is():
    world = a_world()
    world.cluster.now = world.cluster.now.replace(hour=13)
    world.cluster.put(a_policy_object("aaa-younger"))
    world.cluster.put(a_run_object("by-hand", "aaa-younger"))
    await world.settle()
    reason, message = stalled(world, "aaa-younger")
    assert reason == "PolicyConflict" and "the older policy nightly acts" in message
    assert world.cluster.condition(POLICY, "aaa-younger", "PolicyConflict")[0] == "True"
    assert world.cluster.condition(RUN, "by-hand", "Stalled")[1] == "PolicyConflict"
    assert runs(world) == ["by-hand", "nightly-g1"]
    world.cluster.delete(POLICY, "nightly")
    await world.settle()
    assert stalled(world, "aaa-younger") is None
    assert end_of(world.cluster, "by-hand") != ("", "")


# ---------------------------------------------------------------- history


async def test_ended_runs_beyond_the_history_are_deleted_the_oldest_first_with_their_jobs():
    world = a_world(Jobs(propose=None), history={"successful": 1, "other": 2})
    for generation in range(1, 6):
        await world.settle()
        world.cluster.edit(RUN, f"nightly-g{generation}", cancel=True)
        world.cluster.edit(POLICY, "nightly", gate={"alpha": 0.01 * generation})
    await world.settle()
    assert runs(world) == ["nightly-g4", "nightly-g5", "nightly-g6"]
    assert not [job for job in world.cluster.all("Job") if job["metadata"]["name"].startswith("nightly-g1")]


async def test_a_run_that_a_user_created_is_never_deleted():
    world = a_world(trigger={"onApply": False}, history={"successful": 0, "other": 0})
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    await world.later(days=30)
    assert runs(world) == ["by-hand"] and end_of(world.cluster, "by-hand") == ("True", "Promoted")


async def test_a_run_that_history_took_away_is_not_started_again():
    world = a_world(history={"successful": 0, "other": 0})
    await world.settle()
    await world.later(days=1)
    assert runs(world) == [] and status(world)["lastResult"] == "Promoted"
