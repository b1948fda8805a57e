"""Stages that know their lines: a pattern, an edit that answers it, a race that it wins, a proof.

A test holds a stage by the Redis key `hold:<uid of the Agent or TraceBackend>:<stage>`: it is played to its end when
the key is gone. So a test decides in which phase something happens, and does not race with it.
"""

import asyncio
import os

from builders import a_pattern, a_replay, a_report, an_edit, replay_rows
from redis.asyncio import Redis

from ninefold.api.artifacts import Artifact, ProbeReport, ReadReport
from ninefold.api.candidates import Candidate, ProposalSet
from ninefold.api.cases import Case, CaseSet
from ninefold.api.findings import CaseRef
from ninefold.api.tracebackend import Capabilities
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext, Stage

FOUND = Capabilities(files=2, bytes=1000, traces=520, agents=["support"], scores=["solved"])
EDIT = an_edit("List the rooms before you name one.")
CANDIDATE = Candidate(id="c1", edits=[EDIT], summary="look first", predicted_gain=0.1, proposer="deterministic")


def stage(name: str) -> Stage:
    """The `run` of the module `ninefold.jobs.<name>`."""

    async def run(context: JobContext) -> Artifact:
        await held(context, name if context.bucket is None else f"{name}-{context.bucket}")
        return await PLAYS[name](context)

    return run


async def held(context: JobContext, name: str) -> None:
    """Wait while the test holds this stage."""
    uid = context.artifact_key.split(":")[1]
    async with Redis.from_url(os.environ["NINEFOLD_REDIS_URL"]) as redis:
        while await redis.exists(f"hold:{uid}:{name}"):  # noqa: ASYNC110 - the test is another process
            await asyncio.sleep(0.05)


async def probe(context: JobContext) -> Artifact:
    return ProbeReport(capabilities=FOUND)


async def read(context: JobContext) -> Artifact:
    """The first pod of shard 1 dies of something that passes."""
    uid = context.artifact_key.split(":")[1]
    async with Redis.from_url(os.environ["NINEFOLD_REDIS_URL"]) as redis:
        if context.shard == 1 and await redis.set(f"died:{uid}", "1", nx=True):
            raise JobFailure("OutOfMemory", "the pod ran out of memory", permanent=False)
    return ReadReport(shard=context.shard or 0, slices=10, read=10, traces=100)


async def analyze(context: JobContext) -> Artifact:
    cases = []
    for bucket, count in (("selection", 62), ("sealed", 124)):
        held_out = [
            Case(case_id=f"case-{n}", cluster=f"task-{n}", input="hello", succeeded=False) for n in range(count)
        ]
        ref = await context.store_extra(bucket, CaseSet(bucket=bucket, cases=held_out))
        cases.append(CaseRef(**ref.model_dump(), bucket=bucket, cases=count))
    return a_report(a_pattern()).model_copy(update={"cases": cases})


async def propose(context: JobContext) -> Artifact:
    return ProposalSet(candidates=[CANDIDATE])


async def replay(context: JobContext) -> Artifact:
    if context.bucket == "selection":
        rows = replay_rows(wins=20, losses=2, both=40)
        return a_replay(rows, "selection", winner="c1", why="c1 leads by +29.0 pp", calls_paid=180)
    assert context.candidate == "c1"
    return a_replay(replay_rows(wins=60, losses=4, both=60), calls_paid=370)


PLAYS = {"probe": probe, "read": read, "analyze": analyze, "propose": propose, "replay": replay}
