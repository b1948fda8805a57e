"""How a run ends: promoted, suggested, or not, each with its reason and its numbers."""

import pytest
from builders import a_replay, a_run_object, an_agent_object, an_edit, an_outcome, replay_rows
from unit.controllers.behaviours import Jobs, analysis, candidate
from unit.controllers.worlds import BETTER, a_world, end_of, ledger, served, versions

from ninefold.api.artifacts import JobError
from ninefold.api.candidates import ProposalSet
from ninefold.versions import edit_hash

RUN = "OptimizationRun"


def ready_of(world):
    return (world.cluster.condition(RUN, "nightly-g1", "Ready") or ("absent",))[0]


async def test_a_better_candidate_is_promoted_and_agents_read_it():
    world = a_world()
    await world.settle()
    assert end_of(world.cluster) == ("True", "Promoted")
    assert served(world.cluster) == (
        f"v2-{BETTER}",
        "You book rooms. Use the tool find_room.\n\nList the rooms before you name one.",
    )
    assert list(versions(world.cluster).values()) == ["retired", "stable"]
    assert ledger(world.cluster)["stable"] == f"v2-{BETTER}"
    assert ready_of(world) == "True"


async def test_its_conditions_carry_value_and_threshold():
    world = a_world()
    await world.settle()
    _, _, message = world.cluster.condition(RUN, "nightly-g1", "ReplayPassed")
    assert "0.516 → 0.968" in message and "+45.2 pp" in message and "> 0.0 pp required" in message
    for part in ("Improved", "NoRegression", "WithinBudget", "ControlsSilent"):
        assert world.cluster.condition(RUN, "nightly-g1", part)[0] == "True"


async def test_a_candidate_that_leaves_out_an_edit_of_git_is_never_frozen():
    owned = an_edit("Say the price in euros.")
    without = candidate().model_copy(update={"removes": [edit_hash(owned)]})
    agent = an_agent_object(edits=[owned.wire()])
    world = a_world(Jobs(propose=ProposalSet(candidates=[without])), agent=agent)
    await world.settle()
    assert end_of(world.cluster) == ("False", "Failed")
    _, _, message = world.cluster.condition(RUN, "nightly-g1", "Succeeded")
    assert "the candidate c1 leaves out an edit that Git owns: take it out of spec.edits" in message
    assert "Say the price in euros." in served(world.cluster)[1]
    assert "replay-sealed" not in world.behave.calls


async def test_mode_suggest_ends_with_a_proved_version_that_nobody_serves():
    world = a_world(mode="Suggest")
    await world.settle()
    assert end_of(world.cluster) == ("True", "Suggested")
    assert versions(world.cluster)[f"v2-{BETTER}"] == "candidate"
    assert served(world.cluster)[0].startswith("v1-")
    _, _, message = world.cluster.condition(RUN, "nightly-g1", "Succeeded")
    assert f"kubectl get configmap support-v2-{BETTER} -o yaml | ninefold export -" in message
    assert world.cluster.condition(RUN, "nightly-g1", "Approved") is None


NOT_BETTER = [
    ("NoPatterns", Jobs(analyze=lambda c, job, env: analysis(c, env, patterns=0)), "CandidatesProposed"),
    ("NoProposals", Jobs(propose=ProposalSet(candidates=[])), "CandidatesProposed"),
    ("NoWinner", Jobs(replay_selection=a_replay(replay_rows(both=60), "selection", why="none leads")), "Replayed"),
    ("NotImproved", Jobs(replay_sealed=a_replay(replay_rows(wins=9, losses=9, both=100))), "Improved"),
]


@pytest.mark.parametrize("reason, jobs, condition", NOT_BETTER, ids=[row[0] for row in NOT_BETTER])
async def test_no_better_prompt_is_a_normal_end_without_a_new_version(reason, jobs, condition):
    world = a_world(jobs)
    await world.settle()
    assert end_of(world.cluster) == ("False", "NotImproved")
    assert ready_of(world) == "True"
    assert world.cluster.condition(RUN, "nightly-g1", condition)[1] == reason
    assert len(versions(world.cluster)) == 1
    assert world.cluster.condition("OptimizationPolicy", "nightly", "Ready")[0] == "True"
    assert world.cluster.one("OptimizationPolicy", "nightly")["status"]["lastResult"] == "NotImproved"


async def test_what_was_not_found_is_told_with_what_could_have_been():
    world = a_world(Jobs(replay_sealed=a_replay(replay_rows(wins=9, losses=9, both=100))))
    await world.settle()
    _, _, message = world.cluster.condition(RUN, "nightly-g1", "Succeeded")
    assert "; 118 sealed cases find +12.1 pp with power 0.8 at alpha 0.0304 (cycle 1)" in message


def raced(sealed_cases):
    rows = replay_rows(wins=20, losses=2, both=40)
    return a_replay(rows, "selection", winner="c1", why="c1 leads", calls_paid=180, sealed_cases=sealed_cases)


async def test_sealed_cases_that_cannot_find_what_they_must_stay_closed():
    jobs = Jobs(replay_selection=raced(120))
    world = a_world(jobs, gate={"detectableGain": 0.05})
    await world.settle()
    assert end_of(world.cluster) == ("False", "Inconclusive")
    _, reason, message = world.cluster.condition(RUN, "nightly-g1", "Replayed")
    assert reason == "PowerTooLow"
    assert message.startswith("120 sealed cases find +17.3 pp")
    assert "+5.0 pp required by gate.detectableGain: more traces are needed" in message
    assert "replay-sealed" not in jobs.calls
    assert ledger(world.cluster)["cycles"] == 0, "no alpha is spent"


async def test_sealed_cases_that_can_find_it_are_opened():
    world = a_world(Jobs(replay_selection=raced(120)), gate={"detectableGain": 0.3})
    await world.settle()
    assert end_of(world.cluster) == ("True", "Promoted")


def without_outcomes(count: int = 60):
    rows = replay_rows(both=count)
    return [
        row.model_copy(update={"outcomes": {arm: an_outcome(None, error="HTTP 503") for arm in row.outcomes}})
        for row in rows
    ]


INCONCLUSIVE = [
    ("few cases", Jobs(analyze=lambda c, job, env: analysis(c, env, sealed=12)), "12 sealed cases (30 required"),
    ("race without outcomes", Jobs(replay_selection=a_replay(without_outcomes(), "selection")), "60 of 60 selection"),
    (
        "endpoint down",
        Jobs(replay_sealed=JobError(reason="EndpointUnavailable", message="no answer from it", permanent=False)),
        "no answer from it",
    ),
    (
        "trace backend down",
        Jobs(analyze=JobError(reason="Unreachable", message="no connection to Langfuse", permanent=False)),
        "no connection to Langfuse",
    ),
    ("few pairs", Jobs(replay_sealed=a_replay(replay_rows(wins=20))), "20 paired cases < 30 required"),
    (
        "budget spent in the race",
        Jobs(replay_selection=a_replay(replay_rows(both=30), "selection", stopped="the 90 calls are spent")),
        "the 90 calls are spent",
    ),
]


@pytest.mark.parametrize("name, jobs, sentence", INCONCLUSIVE, ids=[row[0] for row in INCONCLUSIVE])
async def test_what_cannot_be_told_is_inconclusive_and_never_looks_like_success(name, jobs, sentence):
    world = a_world(jobs)
    await world.settle()
    assert end_of(world.cluster) == ("False", "Inconclusive")
    assert sentence in world.cluster.condition(RUN, "nightly-g1", "Succeeded")[2]
    assert ready_of(world) == "False"
    assert len(versions(world.cluster)) == 1


async def test_too_few_cases_are_seen_before_anything_is_paid():
    jobs = Jobs(analyze=lambda cluster, job, env: analysis(cluster, env, sealed=12))
    world = a_world(jobs)
    await world.settle()
    assert set(jobs.calls) == {"probe", "analyze"}


async def test_without_a_replay_endpoint_a_run_ends_after_the_proposals():
    jobs = Jobs()
    world = a_world(jobs, agent=an_agent_object(replay=None))
    await world.settle()
    assert set(jobs.calls) == {"probe", "analyze", "propose"}
    assert end_of(world.cluster) == ("False", "NotImproved")
    assert "no spec.replay" in world.cluster.condition(RUN, "nightly-g1", "Succeeded")[2]
    assert world.cluster.condition("OptimizationPolicy", "nightly", "Ready")[1] == "AnalysisOnly"


async def test_a_job_that_says_what_a_user_must_mend_fails_the_run_with_its_sentence():
    error = JobError(reason="TracesNotMounted", message="the volume is not mounted", permanent=True)
    world = a_world(Jobs(analyze=error))
    await world.settle()
    assert end_of(world.cluster) == ("False", "Failed")
    assert world.cluster.condition(RUN, "nightly-g1", "TracesAnalyzed")[1] == "TracesNotMounted"
    status, reason, message = world.cluster.condition(RUN, "nightly-g1", "Stalled")
    assert (status, reason) == ("True", "TracesNotMounted") and "the volume is not mounted" in message


async def test_a_cancelled_run_ends_its_jobs():
    world = a_world(Jobs(replay_sealed=None))
    await world.settle()
    at_work = "nightly-g1-replay-sealed"
    assert any(job["metadata"]["name"].startswith(at_work) for job in world.cluster.all("Job"))
    world.cluster.edit(RUN, "nightly-g1", cancel=True)
    await world.settle()
    assert end_of(world.cluster) == ("False", "Cancelled")
    assert not any(job["metadata"]["name"].startswith(at_work) for job in world.cluster.all("Job"))
    assert any(job["metadata"]["name"].startswith("nightly-g1-analyze") for job in world.cluster.all("Job"))


async def test_a_cancel_comes_too_late_once_the_agent_promotes():
    world = a_world()
    world.cluster.moments = moments = []
    await world.settle()
    booked = next(m for m in reversed(moments) if served(m)[0].startswith("v1-"))
    assert ledger(booked)["stable"] == f"v2-{BETTER}", "the ledger comes before the pointer"
    world.cluster = booked
    booked.edit(RUN, "nightly-g1", cancel=True)
    await world.look_at(RUN, "nightly-g1")
    assert end_of(booked) == ("", "")
    await world.wake()
    assert end_of(booked) == ("True", "Promoted")


async def test_a_run_by_hand_waits_for_the_run_under_way():
    world = a_world(Jobs(analyze=None))
    await world.settle()
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    status, reason, message = world.cluster.condition(RUN, "by-hand", "Ready")
    assert (status, reason) == ("False", "Queued") and "nightly-g1" in message
    world.cluster.edit(RUN, "nightly-g1", cancel=True)
    await world.settle()
    assert world.cluster.condition(RUN, "by-hand", "Ready")[1] == "Analyzing"


async def test_a_winner_that_is_quarantined_is_dropped_before_the_seal_is_broken():
    jobs = Jobs()
    world = a_world(jobs, agent=an_agent_object(quarantine=[BETTER]))
    await world.settle()
    assert end_of(world.cluster) == ("False", "NotImproved")
    assert world.cluster.condition(RUN, "nightly-g1", "ReplayPassed")[1] == "Quarantined"
    assert "replay-sealed" not in jobs.calls and ledger(world.cluster)["cycles"] == 0


async def test_a_winner_that_fits_into_no_configmap_is_dropped_before_the_seal_is_broken():
    large = candidate(edit=an_edit("x" * 32_000))
    many = large.model_copy(update={"edits": [an_edit("x" * 32_000 + str(n)) for n in range(8)]})
    jobs = Jobs(propose=ProposalSet(candidates=[many]))
    world = a_world(jobs)
    await world.settle()
    assert world.cluster.condition(RUN, "nightly-g1", "ReplayPassed")[1] == "PromptTooLarge"
    assert "replay-sealed" not in jobs.calls and len(versions(world.cluster)) == 1


async def test_the_seal_is_booked_once_with_its_share_of_alpha_and_all_calls():
    world = a_world()
    await world.settle()
    book = ledger(world.cluster)
    assert book["cycles"] == 1 and book["replayCalls"] == 550
    assert [(entry["candidate"], entry["cycle"]) for entry in book["sealed"]] == [(BETTER, 1)]
    assert world.cluster.one(RUN, "nightly-g1")["status"]["figures"]["replayCalls"] == 550


async def test_the_second_run_extends_the_promoted_version_and_spends_less_alpha():
    second = ProposalSet(candidates=[candidate(edit=an_edit("Say the price."))])
    world = a_world(Jobs(propose=lambda c, job, env: second if "by-hand" in job["metadata"]["name"] else FIRST))
    await world.settle()
    world.cluster.put(a_run_object("by-hand"))
    await world.settle()
    assert end_of(world.cluster, "by-hand") == ("True", "Promoted")
    assert served(world.cluster)[1].endswith("List the rooms before you name one.\n\nSay the price.")
    assert [entry["cycle"] for entry in ledger(world.cluster)["sealed"]] == [1, 2]
    assert list(versions(world.cluster).values()) == ["retired", "retired", "stable"]


FIRST = ProposalSet(candidates=[candidate()])
