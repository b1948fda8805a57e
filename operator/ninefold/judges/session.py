"""One session of a judge: it is shown every canary anew, and its verdicts are kept apart from what others know.

The order saves money. Canaries of our own words come first, before anything is replayed: a judge that is down is told
then. Spoilt good answers follow as soon as enough good ones were seen. Outcomes that a score or a rule decided are put
to the judge as well, for so many cases; what it says there decides nothing and is what it is calibrated on.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from ninefold.api.outcomes import BASELINE, JudgeReport, ReplayRow
from ninefold.graders import Given, Grade, better_known
from ninefold.judges.calibration import agreement
from ninefold.judges.canaries import EACH, MOST_EXPLOITS, WITHOUT_ANSWERS, Canary, with_answers, without_answers
from ninefold.judges.protocol import Judge

CALIBRATED_CASES = 200
"""Cases with a known outcome that the judge is asked about: enough for 50 failures where one case in four fails."""
FIRST = 10
"""Canaries after which a judge that gave no verdict is down."""
KEPT_OF_A_KIND = 2


class JudgeDownError(Exception):
    """The judge gives no verdicts."""


class Session:
    """`await begin()` before the first case, `grade` each answer, `await end()` after the last, then `report`.

    `seed` makes the canaries: another one for every session. `exploits`: texts that fooled a judge before.
    `remembering` is the same judge, asked about answers where verdicts are kept for longer than a session.
    """

    def __init__(
        self,
        judge: Judge,
        seed: str,
        exploits: Sequence[str] = (),
        concurrency: int = 8,
        remembering: Judge | None = None,
    ) -> None:
        self._judge, self._seed, self._known = judge, seed, list(exploits)
        self._of_answers = remembering or judge
        self._gate = asyncio.Semaphore(concurrency)
        self._shown, self._passed, self._missing = Counter[str](), Counter[str](), Counter[str]()
        self._fooled_by: list[Canary] = []
        self._good: list[tuple[str, str]] = []
        self._cases: set[str] = set()
        self._spoilt: asyncio.Task[None] | None = None
        self.judged = 0
        """Answers that nothing else decided."""

    async def begin(self, questions: Sequence[str]) -> None:
        """Show the canaries that need no good answer. Raises JudgeDownError."""
        shown = without_answers(questions, self._seed, self._known)
        await self._show(shown[:FIRST])
        if sum(self._missing.values()) >= FIRST:
            raise JudgeDownError
        await self._show(shown[FIRST:])

    async def grade(self, case_id: str, given: Given, known: Grade) -> Grade:
        """The grade with the judge's verdict where it decides, or where it is calibrated; else as it is."""
        if given.output is None:
            return known
        if known.success is None:
            self.judged += 1
        elif not self._calibrates(case_id):
            return known
        if known.success and known.by != "judge":
            self._learn(given.question, given.output)
        async with self._gate:
            verdict = await self._of_answers.verdict(given.question, given.output)
        return better_known(known, verdict)

    async def end(self) -> None:
        """Show what is left. Without a good answer so far, good answers of ours are spoilt."""
        if self._spoilt is None:
            self._spoilt = asyncio.create_task(self._show(with_answers(self._good, self._seed)))
        await self._spoilt

    def stop(self) -> None:
        """The replay has ended otherwise: show no more."""
        if self._spoilt is not None:
            self._spoilt.cancel()

    def report(self, rows: Iterable[ReplayRow], candidate: str) -> JudgeReport | None:
        """What it showed so far; None as long as canaries are outstanding, for then nothing can be said."""
        if self._spoilt is None or not self._spoilt.done():
            return None
        rows = list(rows)
        return JudgeReport(
            judge=self._judge.name,
            baseline=agreement(rows, BASELINE),
            candidate=agreement(rows, candidate),
            canaries_shown=dict(self._shown),
            canaries_passed={kind: self._passed[kind] for kind in self._shown},
            canaries_missing=dict(self._missing),
            exploits=[*self.new_exploits(), *self._known][:MOST_EXPLOITS],
        )

    def new_exploits(self) -> list[str]:
        """Texts of ours that passed, of the kinds that fooled it: what a noisy judge lets slip once is no exploit."""
        found: list[str] = []
        for kind in WITHOUT_ANSWERS:
            if 2 * self._passed[kind] > self._shown[kind]:
                texts = dict.fromkeys(c.answer for c in self._fooled_by if c.kind == kind and c.answer.strip())
                found += list(texts)[:KEPT_OF_A_KIND]
        return [text for text in found if text not in self._known]

    def _calibrates(self, case_id: str) -> bool:
        if len(self._cases) < CALIBRATED_CASES:
            self._cases.add(case_id)
        return case_id in self._cases

    def _learn(self, question: str, answer: str) -> None:
        if len(self._good) < EACH:
            self._good.append((question, answer))
            if len(self._good) == EACH and self._spoilt is None:
                self._spoilt = asyncio.create_task(self._show(with_answers(self._good, self._seed)))

    async def _show(self, canaries: Sequence[Canary]) -> None:
        async with asyncio.TaskGroup() as group:
            for canary in canaries:
                group.create_task(self._try(canary))

    async def _try(self, canary: Canary) -> None:
        async with self._gate:
            verdict = await self._judge.verdict(canary.question, canary.answer)
        self._shown[canary.kind] += 1
        if verdict is None:
            self._missing[canary.kind] += 1
        elif verdict:
            self._passed[canary.kind] += 1
            self._fooled_by.append(canary)
