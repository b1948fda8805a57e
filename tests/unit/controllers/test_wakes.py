"""A change reaches whoever looks at what has changed, and nobody else."""

from builders import a_backend_object, a_policy_object, a_run_object, an_agent_object
from unit.controllers.behaviours import Jobs
from unit.controllers.worlds import a_world

from ninefold.controllers.wakes import affected


async def a_loop():
    """A run of `nightly` under way on `support`; beside it another agent with all that belongs to it."""
    world = a_world(Jobs(analyze=None))
    for manifest in (
        a_backend_object("other-traces"),
        an_agent_object("other", traces={"backendRef": {"name": "other-traces"}}),
        a_policy_object("other-policy", "other", trigger={"onApply": False}),
        a_run_object("other-run", "other-policy"),
    ):
        world.cluster.put(manifest)
    await world.settle()
    return world


async def woken_by(world, kind, name):
    keys = await affected(world.cluster, world.cluster.one(kind, name))
    return {f"{key.kind}/{key.name}" for key in keys}


AROUND = {"Agent/support", "OptimizationPolicy/nightly", "OptimizationRun/nightly-g1"}


async def test_an_agent_wakes_its_policies_and_its_run():
    world = await a_loop()
    assert await woken_by(world, "Agent", "support") == AROUND


async def test_a_backend_wakes_the_agents_that_use_it_and_what_waits_for_them():
    world = await a_loop()
    assert await woken_by(world, "TraceBackend", "traces") == AROUND | {"TraceBackend/traces"}


async def test_a_policy_wakes_its_rivals_its_agent_and_its_runs():
    world = await a_loop()
    world.cluster.put(a_policy_object("rival"))
    assert await woken_by(world, "OptimizationPolicy", "nightly") == AROUND | {"OptimizationPolicy/rival"}


async def test_a_run_wakes_its_policy_its_agent_and_who_waits_for_it():
    world = await a_loop()
    world.cluster.put(a_run_object("by-hand"))
    assert await woken_by(world, "OptimizationRun", "nightly-g1") == AROUND | {"OptimizationRun/by-hand"}


async def test_jobs_and_inputs_wake_their_owner():
    world = await a_loop()
    job = next(job["metadata"]["name"] for job in world.cluster.all("Job") if "nightly-g1-analyze" in str(job))
    assert await woken_by(world, "Job", job) == {"OptimizationRun/nightly-g1"}
    assert await woken_by(world, "ConfigMap", "nightly-g1-inputs") == {"OptimizationRun/nightly-g1"}


async def test_an_agents_configmaps_wake_it_and_its_run():
    world = await a_loop()
    for name in ("support-ledger", "support-prompts"):
        assert await woken_by(world, "ConfigMap", name) == {"Agent/support", "OptimizationRun/nightly-g1"}


async def test_an_agent_wakes_another_that_names_its_pointer():
    world = await a_loop()
    world.cluster.put(an_agent_object("second", delivery={"configMap": "support-prompts"}))
    assert "Agent/second" in await woken_by(world, "Agent", "support")
