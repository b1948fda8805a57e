"""docs/proposals.md, "Search", through the Job: gepa, the staging endpoint and the reflecting model over HTTP."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from model_standin import model_standin, says

from ninefold.api.candidates import ProposalSet
from ninefold.api.run import ArtifactRef
from ninefold.jobs.propose import run
from ninefold.jobs.runtime import OK, execute
from ninefold.store import Store
from testbed import RedisServer

from .conftest import Reply, Staging, solved
from .test_replay_job import JobBench

pytest.importorskip("gepa")
RULE = "Ask for the date first."
MOST = 300


def wants_the_rule(request: dict[str, Any]) -> Reply:
    """A third of the cases is solved anyway, all are under the rule."""
    number = int(request["case_id"].rsplit("-", 1)[1])
    return solved(request, float(number % 3 == 0 or RULE in request["components"]["system"]))


def adds_the_rule(body: dict[str, Any]) -> Any:
    """The stand-in for reflection: it keeps the current text and adds the rule."""
    shown = body["messages"][1]["content"]
    current = re.search(r"<current>(.*?)</current>", shown, re.DOTALL)
    assert current is not None
    return says(json.dumps({"instructions": f"{current[1].strip().strip('`').strip()}\n{RULE}"}))


@pytest_asyncio.fixture
async def bench(staging: Staging, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[JobBench]:
    staging.answer = wants_the_rule
    async with Store(redis_server.url) as store:
        yield JobBench(store, staging, tmp_path, redis_server.url)


async def test_a_plateau_is_searched_within_its_calls_and_a_restarted_pod_buys_nothing_twice(bench: JobBench) -> None:
    await bench.upstream(number=80)
    with model_standin(adds_the_rule) as model:
        reflection = {"endpoint": model.url, "model": "m-1"}
        bench.policy = {"proposals": {"reflection": reflection, "search": {"maxCalls": MOST}}}
        environment = bench.environment("selection")
        assert await execute(run, environment) == OK, bench.told()
        found = ProposalSet.from_bytes(await bench.store.artifacts.get(ArtifactRef.model_validate_json(bench.told())))
        asked = len(bench.staging.requests)
        assert await execute(run, environment) == OK, bench.told()
    (edit,) = found.candidates[0].edits
    assert (found.candidates[0].id, edit.kind, set(edit.text.splitlines())) == ("gepa", "Refine", {RULE})
    assert {body["case_id"].split("-")[0] for body in bench.staging.requests} == {"selection"}, "the seal stays closed"
    assert found.spending.lines["replay/search"].calls == asked <= MOST
    assert found.spending.by_purpose()["reflection"].calls > 0
    assert len(bench.staging.requests) == asked
