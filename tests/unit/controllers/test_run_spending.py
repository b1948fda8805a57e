"""docs/operations.md, "Budgets": what a stage has spent is in the ledger, however the stage and the run ended."""

import json

from builders import a_replay, replay_rows
from unit.controllers.behaviours import Jobs
from unit.controllers.simulated_jobs import environment
from unit.controllers.worlds import a_world, end_of, ledger

from ninefold.api.artifacts import JobError
from ninefold.api.candidates import ProposalSet
from ninefold.api.spending import Spending, Spent

RACE = Spending(
    lines={"replay/baseline": Spent(calls=40, tokens=4000, micro_usd=2_500_000), "replay/c-1": Spent(calls=20)},
    days={"2026-01-05": Spent(calls=60, tokens=4000, micro_usd=2_500_000)},
)
NO_WINNER = a_replay(replay_rows(both=60), "selection", why="none leads", spending=RACE)
STOPPED = NO_WINNER.model_copy(update={"stopped": "60 calls of the 60 of budget.replayCalls are spent in this run"})


def spent(world, run="nightly-g1"):
    status = world.cluster.one("OptimizationRun", run)["status"]
    return {one["purpose"]: one for one in status.get("spent", [])}


async def test_a_race_without_a_winner_is_booked_and_told():
    world = a_world(Jobs(replay_selection=NO_WINNER))
    await world.settle()
    assert end_of(world.cluster) == ("False", "NotImproved")
    [run] = ledger(world.cluster)["runs"]
    assert run["spent"]["replay-selection"]["lines"]["replay"] == {"calls": 60, "tokens": 4000, "microUsd": 2_500_000}
    assert spent(world) == {"replay": {"purpose": "replay", "calls": 60, "tokens": 4000, "costUsd": 2.5}}


async def test_a_stage_that_failed_has_spent_all_the_same():
    error = JobError(reason="EndpointUnavailable", message="down", permanent=False, spending=RACE)
    world = a_world(Jobs(replay_selection=error))
    await world.settle()
    assert end_of(world.cluster) == ("False", "Inconclusive")
    assert spent(world)["replay"]["calls"] == 60


async def test_a_race_that_the_budget_ended_says_which_limit_and_on_what_it_was_spent():
    world = a_world(Jobs(replay_selection=STOPPED))
    await world.settle()
    assert end_of(world.cluster) == ("False", "Inconclusive")
    status, reason, message = world.cluster.condition("OptimizationRun", "nightly-g1", "WithinBudget")
    assert (status, reason) == ("False", "BudgetSpent") and "budget.replayCalls" in message


async def test_the_next_job_is_told_what_the_ledger_knows():
    told = {}

    def sealed(cluster, job, env):
        told.update(json.loads(environment(job)["NINEFOLD_BOOKED"]))
        return JobError(reason="EndpointUnavailable", message="down", permanent=False)

    reflected = Spending(lines={"reflection": Spent(calls=2, tokens=700)})

    def propose(cluster, job, env):
        found = Jobs()(cluster, job, env)
        assert isinstance(found, ProposalSet)
        return found.model_copy(update={"spending": reflected})

    world = a_world(Jobs(propose=propose, replay_sealed=sealed))
    await world.settle()
    assert told["stages"]["propose"] == {"reflection": {"calls": 2, "tokens": 700, "microUsd": 0}}
