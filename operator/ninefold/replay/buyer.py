"""Buys outcomes: has a mode run a case, its answer graded, and the replay ended when it makes no sense any more.

How a call is paid for is the till's (`ninefold.replay.till`). Here is what an answer is: remembered by run, mode and
the whole request (an answer of last month's baseline beside today's candidate would be no pair), graded as soon as it
is there, for its text is not stored, and unknown with a reason where nobody can say. `Watch` ends the replay when the
set-up is wrong or the other side is down.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from ninefold.api.agent import Success
from ninefold.api.outcomes import Outcome
from ninefold.graders import Given, Grade, Graders, question_of
from ninefold.replay.invented import invented
from ninefold.replay.mode import Answer, Ask, Bought, PassingError, RejectedError, Replayer, Request, Usage, Walker
from ninefold.replay.till import Till
from ninefold.replay.watch import ENDPOINT, MODEL, Watch
from ninefold.spending import What
from ninefold.versions import estimate_tokens

Grading = Callable[[Request, Answer], Awaitable[Grade]]


def given_of(request: Request, answer: Answer) -> Given:
    """A replayed case as graders see it."""
    return Given(
        question=question_of(request.input),
        output=answer.said(),
        shown=(*request.components.values(), *answer.shown),
        metadata=request.metadata,
        scores=answer.scores,
    )


class Buyer:
    """Asks a mode at the till, and has the answer graded.

    `success` says how; `grade` is asked instead where more than its score and rules must be heard. `scope` (the run's
    UID) and the mode's identity are part of every name under which something is remembered. `counts` are the till's,
    and `unknown`.
    """

    def __init__(
        self, mode: Replayer | Walker, success: Success, till: Till, *, scope: str, grade: Grading | None = None
    ) -> None:
        self._mode = mode
        self._success = success
        self._graders = Graders(success)
        self._grade = grade or self.by_rule
        self._till = till
        self._scope = scope
        self._watch = Watch(mode.name, MODEL if isinstance(mode, Walker) else ENDPOINT)

    @property
    def counts(self) -> Counter[str]:
        return self._till.counts

    async def outcome(self, request: Request, grade: Grading | None = None, *, arm: str = "") -> Outcome:
        """The outcome of a request; unknown, with the reason, when there is none. `grade`: graded by this instead.

        `arm` is who pays. Raises BudgetSpentError when a call would pass the budget, and ReplayFailure when none makes
        sense any more.
        """
        try:
            answer = await self._answer(request, What("replay", arm), grade or self._grade)
        except RejectedError as error:
            if error.status:
                self._watch.rejected(request.case_id, error.status)
            else:
                self._watch.unreadable(request.case_id, error.reason)
            return self._unknown(error.reason)
        except PassingError as error:
            self._watch.silent(request.case_id, error.reason)
            return self._unknown(error.reason)
        if answer.missing is not None:
            self._watch.answered()
            calls = {name: getattr(answer, name) for name in ("tool_calls", "tool_answers", "tool_borrowed")}
            return self._unknown(answer.missing).model_copy(update=calls)
        # An answer that an earlier release has stored was not graded yet, and has nothing but its scores.
        found = answer.grade or self._graders.grade(given_of(request, answer))
        if found.success is None:
            if found.by == "judge":
                self._watch.unjudged(request.case_id)
            else:
                self._watch.ungraded(request.case_id, found.missing or "", self._success)
            return self._unknown(found.missing or "no outcome")
        self._watch.answered()
        return Outcome(
            success=found.success,
            score=found.score,
            steps=answer.steps,
            error_steps=answer.error_steps,
            tokens=answer.tokens,
            micro_usd=answer.micro_usd,
            millis=answer.millis,
            invented=answer.invented,
            sketch=answer.sketch,
            graded_by=found.by,
            verdict=found.verdict,
            tool_calls=answer.tool_calls,
            tool_answers=answer.tool_answers,
            tool_borrowed=answer.tool_borrowed,
        )

    async def by_rule(self, request: Request, answer: Answer) -> Grade:
        """What score and rules say."""
        return self._graders.grade(given_of(request, answer))

    async def _answer(self, request: Request, what: What, grade: Grading) -> Answer:
        key = {"scope": self._scope, "replayer": self._mode.identity, "request": request.wire()}
        if isinstance(self._mode, Walker):
            return await self._walked(self._mode, request, what, key, grade)
        mode = self._mode

        async def ask() -> Bought:
            answer, keep = await self._graded(request, await mode.replay(request), grade)
            return Bought(answer.wire(), answer.usage, answer.once, keep)

        return Answer.model_validate(await self._till.buy(key, what, _guess(request), ask))

    async def _walked(self, mode: Walker, request: Request, what: What, key: Any, grade: Grading) -> Answer:
        if (found := await self._till.remembered(key)) is not None:
            return Answer.model_validate(found)

        async def buy(call: Any, guess: Usage, ask: Ask) -> Any:
            return await self._till.buy(
                {"scope": self._scope, "replayer": mode.identity, "call": call}, what, guess, ask
            )

        answer, keep = await self._graded(request, await mode.walk(request, buy), grade)
        if keep:
            await self._till.remember(key, answer.wire())
        return answer

    async def _graded(self, request: Request, answer: Answer, grade: Grading) -> tuple[Answer, bool]:
        """The answer with its grade and what else is told of it, and whether it may be kept."""
        told = [question_of(request.input), *request.components.values()]
        figures = {
            "micro_usd": self._till.cost(answer.usage),
            "invented": invented(answer.said(), answer.called, told) if answer.missing is None else None,
        }
        answer = answer.model_copy(update=figures)
        if answer.missing is not None or answer.grade is not None:
            return answer, True  # the mode knows
        found = await grade(request, answer)
        # Without its text it could never be judged again: what a judge failed to say is a failure, and not kept.
        return answer.model_copy(update={"grade": found}), found.success is not None or found.by != "judge"

    def _unknown(self, reason: str) -> Outcome:
        self.counts["unknown"] += 1
        return Outcome(success=None, error=reason)


def _guess(request: Request) -> Usage:
    """What is sent: an agent that answers in one go takes that and an answer; it is learned what it does take."""
    return Usage(prompt=sum(map(estimate_tokens, request.components.values())) + estimate_tokens(str(request.input)))
