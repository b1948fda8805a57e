"""The judge of the search grades history: a sample of what neither score nor rules decide, once it is calibrated.

The thinnest way that is honest. Traces are read slice by slice, and what a slice leaves is kept; so the judge is asked
while a pass over some slices is at hand. First it is held against traces of known outcome, up to `OF_A_KIND` successes
and as many failures, and shown its canaries: only when its lower bounds of sensitivity and specificity are high enough,
and no kind of canary passes, are its verdicts outcomes. What came before that, what is beyond the sample
(`spec.success.judges.history`, spread over the slices and within a pass drawn by hash), and what it gives no verdict on
stays unjudged, and the report says how many.

It sees the analysis bucket alone. Verdicts are remembered by the content that was judged, so nothing is bought twice,
also when a slice is read again; canaries are shown anew in each Job that has something to judge.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ninefold.api.agent import Success
from ninefold.api.outcomes import BASELINE, Outcome, ReplayRow
from ninefold.gate import trusted
from ninefold.graders import Given, Grade, Graders
from ninefold.jobs.grading import OfOneSession, judge_chat
from ninefold.jobs.purses import open_purse, spending
from ninefold.jobs.runtime import JobContext
from ninefold.judges import JudgeDownError, ModelJudge, Session
from ninefold.llm import AnswerCache
from ninefold.store import Purse
from ninefold.traces import bucket_of
from ninefold.traces.given import given_of, newest
from ninefold.traces.model import TraceRecord
from ninefold.traces.objects import trace_hash

OF_A_KIND = 100
"""Known successes, and known failures, that the judge is held against."""
LONGEST = 64 * 2**10
"""Characters of question and answer together: what is longer is not put to the judge."""
WHERE = "spec.success.judges.search"

T = TypeVar("T")
Wait = Callable[[Coroutine[Any, Any, T]], T]


class _Smallest:
    """The traces with the smallest hashes, at most so many: a sample that does not depend on the order of reading."""

    def __init__(self, most: int) -> None:
        self._most, self._heap = most, list[tuple[int, str, Given, Grade]]()

    def add(self, trace_id: str, given: Given, grade: Grade) -> None:
        push = heapq.heappush if len(self._heap) < self._most else heapq.heappushpop
        push(self._heap, (-trace_hash(trace_id), trace_id, given, grade))

    def first(self, count: int) -> list[tuple[str, Given, Grade]]:
        return [(i, given, grade) for _, i, given, grade in sorted(self._heap, reverse=True)[:count]]


class History:
    """`ninefold.jobs.passes.Judging`, used in the thread that reads; `wait` runs a coroutine where the judge lives."""

    def __init__(self, success: Success, session: Session, purse: Purse, wait: Wait[dict[str, bool]]) -> None:
        assert success.judges is not None, "the Agent names no judge"
        self._most, self._score, self._graders = success.judges.history, success.score, Graders(success)
        self._session, self._purse, self._wait = session, purse, wait
        self._rows: list[ReplayRow] = []
        self._known = {True: 0, False: 0}
        self._open = self._graded = self._slices = self._passed = 0
        self._begun = False
        self._against = "no trace of a known outcome was read beside them"
        self._clear()

    def _clear(self) -> None:
        self._undecided = _Smallest(self._most)
        self._decided = {side: _Smallest(OF_A_KIND - self._known[side]) for side in (True, False)}

    # ------------------------------------------------------------ while reading

    def expects(self, slices: int) -> None:
        self._slices = self._passed + slices

    def see(self, record: TraceRecord) -> None:
        if bucket_of(record.session_id) != "analysis":
            return
        whole = given_of(record, newest(record.scores, self._score))
        grade = self._graders.grade(whole)
        self._open += grade.success is None
        if not whole.output or len(whole.question) + len(whole.output) > LONGEST:
            return
        given = Given(question=whole.question, output=whole.output)
        if grade.success is None:
            self._undecided.add(record.trace_id, given, grade)
        elif self._known[grade.success] < OF_A_KIND:
            self._decided[grade.success].add(record.trace_id, given, grade)

    def verdicts(self, slices: int) -> Mapping[str, bool]:
        self._passed += slices
        share = -(-self._most * min(self._passed, self._slices) // max(1, self._slices)) - self._graded
        decided = [one for side in (True, False) for one in self._decided[side].first(OF_A_KIND)]
        undecided = self._undecided.first(share)
        self._clear()
        return self._wait(self._judged(decided, undecided)) if undecided else {}

    # ------------------------------------------------------------ where the judge lives

    async def _judged(
        self, decided: Sequence[tuple[str, Given, Grade]], undecided: Sequence[tuple[str, Given, Grade]]
    ) -> dict[str, bool]:
        if not self._begun:
            try:
                await self._session.begin([given.question for _, given, _ in undecided])
            except JudgeDownError:
                self._against = "it gave no verdict on its first canaries"
                return {}
            self._begun = True
        for (trace, _, known), grade in zip(decided, await self._all(decided), strict=True):
            self._known[bool(known.success)] += 1
            said = Outcome(success=known.success, graded_by=known.by, verdict=grade.verdict)
            self._rows.append(ReplayRow(case_id=trace, cluster=trace, outcomes={BASELINE: said}))
        if not self._rows:
            return {}
        await self._session.end()
        if not self._trusted():
            return {}
        grades = await self._all(undecided)
        found = {trace: g.success for (trace, _, _), g in zip(undecided, grades, strict=True) if g.success is not None}
        self._graded += len(found)
        return found

    async def _all(self, some: Sequence[tuple[str, Given, Grade]]) -> list[Grade]:
        return await asyncio.gather(*(self._session.grade(trace, given, known) for trace, given, known in some))

    def _trusted(self) -> bool:
        report = self._session.report(self._rows, BASELINE)
        if report is None:
            return False
        verdict = trusted(report, {"recorded outcomes": report.baseline})
        self._against = verdict.message
        return verdict.status == "True"

    async def told(self) -> dict[str, Any]:
        """What the report says of it: `judged`, a sentence, where anything was left open; and `spending`."""
        if not self._open:
            return {}
        of = f"of {self._open} traces that neither score nor rules decide, the judge graded {self._graded}"
        return {"judged": f"{of} ({self._against})", "spending": await spending(self._purse)}


@asynccontextmanager
async def open_history(ctx: JobContext) -> AsyncIterator[History | None]:
    """The judge of this Job; None where the Agent wants none. Raises JobFailure."""
    success = ctx.run.agent.success
    named = success.of_history
    if success.judges is None or named is None:
        yield None
        return
    purse = await open_purse(ctx, "analyze")
    seed = f"{ctx.run.run_uid}/history"
    exploits = ctx.store.exploits(ctx.run.agent_uid)
    loop = asyncio.get_running_loop()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    name = f"{named.model} at {urlsplit(named.endpoint).netloc}"
    asked: tuple[AnswerCache, ...] = (OfOneSession(ctx.calls, seed), ctx.calls)
    doors = [
        judge_chat(ctx, success.judges, named, purse, where=WHERE, counted="judge-history", kept=kept) for kept in asked
    ]
    async with doors[0] as fresh, doors[1] as remembering:
        session = Session(
            ModelJudge(fresh, success.judges.rubric, name),
            seed,
            await exploits.known(),
            ctx.run.policy.replay.concurrency,
            ModelJudge(remembering, success.judges.rubric, name),
        )
        try:
            yield History(success, session, purse, wait)
        finally:
            session.stop()
        await exploits.remember(session.new_exploits())
