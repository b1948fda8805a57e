"""After any single write the process may die, and the next one reaches the same final state."""

import copy
from collections.abc import Awaitable, Callable

import pytest
from builders import a_replay, replay_rows
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated_operator import World, snapshot_of
from unit.controllers.worlds import BETTER, a_world, end_of, needing_approval, served

from ninefold.api.artifacts import JobError

Story = Callable[[], Awaitable[World]]
"""Makes a world and plays everything up to the part in which the operator may die."""


async def a_first_promotion() -> World:
    return a_world()


async def an_approval_in_git() -> World:
    world = a_world(**needing_approval())
    await world.settle()
    world.cluster.edit("OptimizationPolicy", "nightly", **needing_approval(BETTER))
    return world


async def a_changed_baseline() -> World:
    world = a_world()
    await world.settle()
    world.cluster.edit("Agent", "support", components=[{"name": "system", "text": "You book rooms and tables."}])
    return world


async def a_quarantine() -> World:
    world = a_world()
    await world.settle()
    world.cluster.edit("Agent", "support", quarantine=[BETTER])
    return world


async def a_flush_of_redis_in_mid_run() -> World:
    def flushed_once(cluster, job, env):
        if env["NINEFOLD_ARTIFACT"].endswith(":1"):
            cluster.redis.clear()
            return JobError(reason="ArtifactLost", message="the cases are gone", permanent=False)
        return Jobs().replay_sealed(cluster, env)

    return a_world(Jobs(replay_sealed=flushed_once))


async def a_deletion_policy_that_changes() -> World:
    world = a_world()
    await world.settle()
    world.cluster.edit("Agent", "support", deletionPolicy="Delete")
    return world


async def a_candidate_that_is_no_better() -> World:
    return a_world(Jobs(replay_sealed=a_replay(replay_rows(wins=10, losses=10, both=100), calls_paid=360)))


async def old_versions_that_are_kept_no_longer() -> World:
    world = a_world()
    await world.settle()
    for text in ("You book tables.", "You book cars.", "You book boats."):
        world.cluster.edit("Agent", "support", components=[{"name": "system", "text": text}])
        await world.settle()
    delivery = {"configMap": "support-prompts", "versionHistoryLimit": 1}
    world.cluster.edit("Agent", "support", delivery=delivery, deletionPolicy="Delete")
    return world


STORIES = [
    a_first_promotion,
    an_approval_in_git,
    a_changed_baseline,
    a_quarantine,
    a_flush_of_redis_in_mid_run,
    a_deletion_policy_that_changes,
    a_candidate_that_is_no_better,
    old_versions_that_are_kept_no_longer,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_the_same_final_state_after_a_death_behind_every_write(story: Story):
    world = await story()
    world.cluster.moments = moments = []
    await world.settle()
    wanted = snapshot_of(world.cluster)
    assert moments
    for number, moment in enumerate(moments, 1):
        world.cluster = moment
        world.restart()
        await world.settle()
        assert snapshot_of(moment) == wanted, f"after a death behind write {number} of {len(moments)}"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_the_same_final_state_when_no_process_lives_for_more_than_one_write(story: Story):
    world = await story()
    mortal = copy.deepcopy(world)
    await world.settle()
    mortal.cluster.mortal = True
    await mortal.settle()
    assert mortal.deaths > 3
    assert snapshot_of(mortal.cluster) == snapshot_of(world.cluster)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_at_the_end_nothing_is_planned_any_more(story: Story):
    world = await story()
    await world.settle()
    assert await world.actions() == {}
    await world.later(minutes=10)
    assert await world.actions() == {}


async def test_the_promotion_that_is_interrupted_is_one():
    world = await a_first_promotion()
    await world.settle()
    assert end_of(world.cluster) == ("True", "Promoted")
    assert served(world.cluster)[0] == f"v2-{BETTER}"
