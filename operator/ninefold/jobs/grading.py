"""How a replay Job grades: by score and rules, and where these are silent by the bucket's judge.

The race asks the search judge, the sealed replay the gate judge, which the search has never met. A session's verdicts
are remembered for restarted pods of this very session only, so that the next session asks anew.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ninefold.api.artifacts import canonical, sha256
from ninefold.api.cases import Case
from ninefold.api.graders import Judge, Judges
from ninefold.api.outcomes import JudgeReport, ReplayReport, ReplayRow
from ninefold.graders import BadRuleError, Grade, Graders, question_of
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.purses import priced
from ninefold.jobs.runtime import JobContext
from ninefold.judges import JudgeDownError, ModelJudge, Session
from ninefold.llm import AnswerCache
from ninefold.replay import Answer, Request
from ninefold.replay.buyer import given_of
from ninefold.replay.watch import JUDGE_ADVICE
from ninefold.spending import Purse, What
from ninefold.store import CallCache, Exploits

if TYPE_CHECKING:
    from ninefold.llm import Chat


class Grading:
    """Grades answers. `session` is None where no judge is named for this bucket."""

    def __init__(self, graders: Graders, session: Session | None, exploits: Exploits) -> None:
        self._graders, self._session, self._exploits = graders, session, exploits

    async def grade(self, request: Request, answer: Answer) -> Grade:
        """The grade of one answer, as `ninefold.replay.Buyer` wants it."""
        given = given_of(request, answer)
        known = self._graders.grade(given)
        return known if self._session is None else await self._session.grade(request.case_id, given, known)

    async def concluded(self, report: ReplayReport) -> ReplayReport:
        """The report with what the judge showed. Raises JobFailure where it can never be held against anything.

        The canaries that are left are shown first, and what fooled the judge is remembered.
        """
        if self._session is None or not judged(report.rows):
            return report
        await self._session.end()
        await self._exploits.remember(self._session.new_exploits())
        if not any(o.success is not None and o.graded_by != "judge" for r in report.rows for o in r.outcomes.values()):
            raise JobFailure(
                "JudgeNotCalibrated",
                "no answer was decided by the score or by a rule, so the judge cannot be held against anything: let "
                "the endpoint return the score of some 200 cases, or give those an expected answer in their metadata "
                "and name its key in spec.success.rules of the Agent",
                permanent=True,
            )
        candidate = report.candidate.id if report.candidate is not None else report.winner
        return report.model_copy(update={"judge": self.report(report.rows, candidate)})

    def report(self, rows: Sequence[ReplayRow], candidate: str | None) -> JudgeReport | None:
        """What the judge showed so far, where any outcome is its own; None where all are known without it."""
        if self._session is None or not judged(rows):
            return None
        return self._session.report(rows, candidate or "")


def judged(rows: Iterable[ReplayRow]) -> bool:
    """Whether any outcome is a judge's."""
    return any(outcome.graded_by == "judge" for row in rows for outcome in row.outcomes.values())


@asynccontextmanager
async def open_grading(ctx: JobContext, cases: Sequence[Case], purse: Purse) -> AsyncIterator[Grading]:
    """The grading of this Job; the judge, if one is named, has seen its first canaries. Raises JobFailure."""
    try:
        graders = Graders(ctx.run.agent.success)
    except BadRuleError as error:
        raise JobFailure("BadRule", str(error), permanent=True) from None
    exploits = ctx.store.exploits(ctx.run.agent_uid)
    judges = ctx.run.agent.success.judges
    named = None if judges is None else judges.gate if ctx.bucket == "sealed" else judges.search
    if judges is None or named is None:
        yield Grading(graders, None, exploits)
        return
    seed = f"{ctx.run.run_uid}/{ctx.bucket}/{ctx.candidate_hash}"
    where = f"spec.success.judges.{'gate' if ctx.bucket == 'sealed' else 'search'}"
    kept = OfOneSession(ctx.calls, seed)
    async with judge_chat(ctx, judges, named, purse, where=where, counted=f"judge-{ctx.bucket}", kept=kept) as chat:
        name = f"{named.model} at {urlsplit(named.endpoint).netloc}"
        judge = ModelJudge(chat, judges.rubric, name)
        session = Session(judge, seed, await exploits.known(), ctx.run.policy.replay.concurrency)
        try:
            await session.begin([question_of(case.input) for case in cases])
        except JudgeDownError:
            message = f"the judge {name} gave no verdict on its first canaries: {JUDGE_ADVICE}"
            raise JobFailure("JudgeUnavailable", message, permanent=False) from None
        try:
            yield Grading(graders, session, exploits)
        finally:
            session.stop()


def judge_chat(
    ctx: JobContext, judges: Judges, judge: Judge, purse: Purse, *, where: str, counted: str, kept: AnswerCache
) -> "Chat":
    """The door to a judge, which is named at `where`; its tokens are `counted` under a name. Raises JobFailure."""
    from ninefold.llm import Chat  # noqa: PLC0415 - heavy, and most replays have no judge

    return Chat(
        judge.endpoint,
        judge.model,
        api_key=ctx.judge_api_key,
        max_tokens=judges.max_tokens,
        budget=ctx.budget(f"{counted}-tokens"),
        cache=kept,
        settings="spec.success.judges",
        purse=purse,
        what=What("judge"),
        price=priced(ctx, judge.price, where),
    )


class OfOneSession:
    """Answers of this session. The judge's answers hold no text: the request, which does, is only a hash in the key."""

    def __init__(self, calls: CallCache, session: str) -> None:
        self._calls, self._session = calls, sha256(canonical(session))

    async def get(self, request: Any) -> Any | None:
        return await self._calls.get({"session": self._session, "request": request})

    async def put(self, request: Any, answer: Any) -> None:
        await self._calls.put({"session": self._session, "request": request}, answer)
