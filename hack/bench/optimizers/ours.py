"""Our loop on an environment: analysis of the traces, proposals, race, gate; in this process, by the same functions.

What a pod gets from its surroundings is stood in for: the endpoint by the ledger, the store by dictionaries, the
reflecting model by `reflection.py`. What decides (analysis, proposers, guards, race, gate) is the product's own.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from bench.optimizers.checkpoints import Watched
from bench.optimizers.environment import Environment, Ledger, Task
from bench.optimizers.reflection import Writer
from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE as BASELINE_ARM
from ninefold.api.outcomes import ReplayReport, ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, evaluate, proved_already
from ninefold.llm import Chat
from ninefold.pairing import paired
from ninefold.proposals import Evidence, Proposer, Reflect, deterministic, propose
from ninefold.proposals.reflection import WrittenEdit, WrittenEdits
from ninefold.replay import (
    Answer,
    Buyer,
    Limiter,
    Request,
    Runner,
    Till,
    Tournament,
    in_order,
    null_edit,
    plan_of,
    prove,
)
from ninefold.spending import Unlimited
from ninefold.versions import extended

SELECTION_CASES, SEALED_CASES = 160, 280


@dataclass
class Outcome:
    """What an optimizer has shipped after how many calls.

    `believed` is the success that it measured when it chose, `reference` that of the prompts it began with on the same
    cases: what these cases are easier or harder than others stands in both. `path`: (calls, prompts) of each thing it
    believed best.
    """

    content: VersionContent
    calls: int
    believed: float
    reference: float = 0.0
    path: list[tuple[int, VersionContent]] = field(default_factory=list)
    patterns: list[dict[str, Any]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    decided: int | None = None
    """Calls until the first race had chosen and left lines out; None where nothing is raced."""


class DeskEndpoint:
    """A `Replayer` that runs the case through the ledger. `score`: the one that says success."""

    name = "desk"
    identity: dict[str, Any] = {"mode": "Desk"}  # noqa: RUF012 - the protocol's property

    def __init__(self, desk: Ledger, tasks: dict[str, Task], score: str) -> None:
        self._desk, self._tasks, self._score = desk, tasks, score

    async def replay(self, request: Request) -> Answer:
        run = self._desk.run(self._tasks[str(request.metadata["app.task"])], request.components)
        errors = sum(not call.ok for call in run.calls)
        return Answer(
            scores={self._score: float(run.solved)}, steps=len(run.calls), error_steps=errors, tokens=run.tokens
        )


class StandInChat:
    """`ninefold.llm.Chat` with the stand-in behind it: one edit a pattern, from what the pattern says."""

    spent = 0

    def __init__(self, writer: Writer, seed: str) -> None:
        self._writer, self._draw = writer, random.Random(seed)

    async def ask(self, instructions: str, data: str, shape: type[Any], *, answer_tokens: int = 0) -> WrittenEdits:
        shown = json.loads(data.split("<data>", 1)[1].rsplit("</data>", 1)[0])["patterns"]
        return WrittenEdits(
            edits=[
                WrittenEdit(component="system", pattern=label, text=self._writer.write(json.dumps(one), self._draw))
                for label, one in shown.items()
            ]
        )


class _Memory:
    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    async def get(self, request: Any) -> Any | None:
        return self._kept.get(json.dumps(request, sort_keys=True))

    async def put(self, request: Any, answer: Any) -> None:
        self._kept[json.dumps(request, sort_keys=True)] = answer


def optimize(place: Environment, desk: Ledger, seed: int, cycles: int) -> Outcome:
    """So many turns of the loop, each on the traffic of the version before."""
    out = Outcome(place.baseline, 0, 0.0, path=[(0, place.baseline)])
    for cycle in range(cycles):
        if not asyncio.run(_turn(place, desk, out, seed, cycle)):
            break
    out.calls = desk.calls
    return out


async def _turn(place: Environment, desk: Ledger, out: Outcome, seed: int, cycle: int) -> bool:
    given = place.inputs()
    found = place.analysed(out.content, cycle)
    if cycle == 0:
        out.patterns = [pattern.wire() for pattern in found.report.patterns]
    evidence = Evidence(
        found.report, out.content, "Client", given.agent.model.context_window, given.policy.analysis.intent_key
    )
    proposers: list[Proposer] = deterministic()
    chat = cast(Chat, StandInChat(place.writer, f"reflect/{seed}/{cycle}"))
    proposals = await propose(
        evidence, [*proposers, Reflect(chat)], given.policy.proposals.kinds, given.policy.proposals.max_candidates
    )
    runner = _runner(place, desk, given.agent.success, f"{seed}/{cycle}")
    key = given.policy.analysis.intent_key

    def mark(content: VersionContent) -> None:
        if content != out.path[-1][1]:
            out.path.append((desk.calls, content))

    watched = Watched(runner.buyer, by_metadata=True, seed=0, concurrency=1, progress=lambda _: None, mark=mark)
    race = await Tournament(watched, out.content, key, found.report.patterns).select(
        proposals.candidates, _cases(found.selection.cases, SELECTION_CASES)
    )
    out.told.append(f"cycle {cycle + 1}: {desk.calls} calls: {race.why}")
    if race.candidate is None:
        return False
    winner = race.candidate
    out.decided = out.decided or desk.calls
    mark(extended(out.content, winner.edits, winner.removes))
    report = await _sealed(runner, out.content, winner, found.sealed.cases, gate=given.policy.gate, cycle=cycle + 1)
    result = evaluate(GateInput(report, winner.id, given.policy.gate, cycle + 1))
    out.told.append(f"cycle {cycle + 1}: {desk.calls} calls: {result.verdicts[-1].message}")
    if not result.passed:
        return False
    sample = paired(report.rows, winner.id)
    # Each cycle is measured against the version before it, so the gains of all cycles lead back to the first prompts.
    gained = out.believed - out.reference + sample.gain
    out.believed, out.reference = sample.success, sample.success - gained
    out.content = extended(out.content, winner.edits, winner.removes)
    return True


async def _sealed(
    runner: Runner, stable: VersionContent, candidate: Candidate, cases: list[Case], *, gate: Gate, cycle: int
) -> ReplayReport:
    cases = _cases(cases, SEALED_CASES)
    planned, counted = plan_of(cases), Counter(case.intent for case in cases)

    def report(arms: list[str], rows: list[ReplayRow]) -> ReplayReport:
        return ReplayReport(
            bucket="sealed", arms=arms, rows=rows, candidate=candidate, prompt_tokens=runner.prompt_tokens, **planned
        )

    def enough(arms: list[str], rows: list[ReplayRow]) -> bool:
        return proved_already(GateInput(report(arms, rows), candidate.id, gate, cycle), counted)

    return report(*await prove(runner, stable, candidate, cases, enough))


def null_sessions(place: Environment, desk: Ledger, sessions: int) -> int:
    """How many null edits the gate promotes, each on sealed cases of its own noise."""
    given = place.inputs()
    cases = place.analysed(place.baseline, 0).sealed.cases
    edit = null_edit(place.baseline).model_copy(update={"text": "***"})
    candidate = Candidate(id="nothing", edits=[edit], summary="nothing", predicted_gain=0.1, proposer="bench")
    passed = 0
    for session in range(sessions):
        runner = _runner(place, desk, given.agent.success, f"null/{session}")
        report = asyncio.run(_sealed(runner, place.baseline, candidate, cases, gate=given.policy.gate, cycle=1))
        assert BASELINE_ARM in report.arms
        passed += bool(evaluate(GateInput(report, candidate.id, given.policy.gate, 1)).passed)
    return passed


def _cases(cases: list[Case], limit: int) -> list[Case]:
    return in_order(cases)[:limit]


def _runner(place: Environment, desk: Ledger, success: Any, scope: str) -> Runner:
    tasks = {task.key: task for task in place.seen}
    buyer = Buyer(
        DeskEndpoint(desk, tasks, str(success.score)),
        success,
        Till(_Memory(), Unlimited(), Limiter(1), retries=0),
        scope=scope,
    )
    return Runner(buyer, by_metadata=True, seed=0, concurrency=1, progress=lambda _: None)
