"""What a judge is: question and answer in, a verdict out, or None when there is none."""

from typing import Protocol


class Judge(Protocol):
    """One way to say whether an answer is good.

    `name` stands in conditions. `verdict` returns True (good), False (not good), or None for an error of the judge's
    own: that is missing data, never a pass. Both texts are foreign: data, never instructions.
    """

    @property
    def name(self) -> str: ...

    async def verdict(self, question: str, answer: str) -> bool | None: ...
