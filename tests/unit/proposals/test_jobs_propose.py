"""The propose stage: the report of analyze in, a ProposalSet out; a model is asked only where the policy names one."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import a_content, a_fact, a_pattern, a_report, an_edit
from model_standin import CountingBudget, CountingPurse, MemoryCache, model_standin, says
from pydantic import SecretStr

from ninefold.api.agent import AgentSpec
from ninefold.api.candidates import Candidate, ProposalSet
from ninefold.api.inputs import RunInputs
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.api.run import ArtifactRef
from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.jobs.propose import run
from ninefold.jobs.runtime import JobContext
from ninefold.jobs.searching import due
from ninefold.proposals import joined

GAP = a_pattern(better="list rooms", better_example="LIST rooms", facts=[a_fact("room_id", city="rome")])
REF = ArtifactRef(artifact="k", sha256="0" * 64, bytes=1)


def context(report, *, delivery="Client", **proposals: Any) -> JobContext:
    """A context whose store holds the report and counts what reflection reserves."""

    async def get(ref):
        return report.to_bytes()

    budget, cache = CountingBudget(), MemoryCache()
    purse = CountingPurse()

    async def open_purse(*_: Any, **__: Any) -> CountingPurse:
        return purse

    store = SimpleNamespace(
        artifacts=SimpleNamespace(get=get), budget=lambda *_: budget, calls=lambda _: cache, purse=open_purse
    )
    inputs = RunInputs(
        run="nightly-1",
        run_uid="u-1",
        namespace="ns",
        agent_name="hotel",
        agent_uid="u-0",
        agent=AgentSpec.model_validate(
            {
                "model": {"name": "m", "contextWindow": 4096},
                "components": [{"name": "system", "text": "S"}],
                "traces": {"backendRef": {"name": "b"}},
                "success": {"score": "solved"},
                "delivery": {"mode": delivery, "configMap": "prompts"},
                "replay": {"endpoint": {"url": "http://agent.example/replay"}},
            }
        ),
        policy=OptimizationPolicySpec.model_validate({"agentRef": {"name": "hotel"}, "proposals": proposals}),
        backend=TraceBackendSpec(),
        baseline=a_content(),
        window_start="2026-01-01T00:00:00Z",
        window_end="2026-02-01T00:00:00Z",
    )
    return JobContext(
        inputs=inputs,
        artifact_key="k2",
        store=cast(Any, store),
        upstream={"analyze": REF},
        reflection_api_key=SecretStr("k-1"),
    )


async def test_without_a_model_the_deterministic_proposers_do_the_work():
    made = await run(context(a_report(GAP)))
    assert [c.id for c in made.candidates] == ["together", "inject-facts", "look-before-acting"]
    assert made.reflection_tokens == 0


async def test_the_policy_bounds_kinds_and_candidates():
    made = await run(context(a_report(GAP), kinds=["InjectContext"], maxCandidates=1))
    assert [c.id for c in made.candidates] == ["inject-facts"]


async def test_mount_gets_no_condition():
    made = await run(context(a_report(GAP), delivery="Mount"))
    assert all(edit.when is None for candidate in made.candidates for edit in candidate.edits)


@pytest.mark.parametrize("limit", [1000, 100_000])
async def test_a_configured_model_is_asked_within_its_budget(limit):
    edits = {"edits": [{"component": "system", "pattern": "P1", "text": "Say the price first."}]}
    with model_standin(lambda body: says(json.dumps(edits), tokens=900)) as standin:
        reflection = {"endpoint": standin.url, "model": "m-1", "maxTokens": limit}
        made = await run(context(a_report(GAP), reflection=reflection))
    if limit == 1000:
        assert "the budget of 1000 tokens does not cover another call" in made.refused[0] and standin.requests == []
    else:
        assert "everything" in [c.id for c in made.candidates] and made.reflection_tokens == 900
        assert standin.headers[0]["authorization"] == "Bearer k-1"


def test_a_search_is_due_when_nobody_has_anything_to_add_and_the_policy_wants_one():
    model = {"endpoint": "http://model.example/v1", "model": "m-1"}
    wanted = context(a_report(GAP), reflection=model, search={"maxCalls": 100})
    nothing, something = ProposalSet(), ProposalSet(candidates=[a_candidate(an_edit())])
    less = ProposalSet(candidates=[a_candidate(removes=["0" * 10])])
    assert [due(wanted, found) for found in (nothing, less, something)] == [True, True, False]
    assert not due(context(a_report(GAP), reflection=model), nothing)


def test_what_a_search_found_stands_before_what_only_takes_away():
    first = ProposalSet(candidates=[a_candidate(removes=["0" * 10])], refused=["a"], reflection_tokens=5)
    second = ProposalSet(candidates=[a_candidate(an_edit(), name="gepa")], refused=["a", "b"], reflection_tokens=9)
    found = joined(first, second, 4)
    assert [c.id for c in found.candidates] == ["gepa", "c"]
    assert (found.refused, found.reflection_tokens) == (["a", "b"], 9)


def a_candidate(*edits, name: str = "c", **rest: Any) -> Candidate:
    return Candidate(id=name, edits=list(edits), summary="", predicted_gain=0.0, proposer=name, **rest)
