"""What calls cost: the amounts that are counted, and the price of a model.

Money is counted in whole micro-dollars, for sums of fractions drift, and a limit is a comparison of sums.
"""

from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from ninefold.api.base import Model

Purpose = Literal["replay", "reflection", "judge", "gepa"]
MICROS = 1_000_000

Count = Annotated[int, Field(ge=0)]
Usd = Annotated[float, Field(gt=0, le=1_000_000)]
UsdPer1k = Annotated[float, Field(ge=0, le=1000)]


class Spent(Model):
    """Calls, tokens and money that went somewhere, or that may go there."""

    calls: Count = Field(0, description="Calls.")
    tokens: Count = Field(0, description="Prompt and completion tokens.")
    micro_usd: Count = Field(0, description="Money, in millionths of a US dollar.")

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            micro_usd=self.micro_usd + other.micro_usd,
        )

    def at_least(self, other: "Spent") -> "Spent":
        """The larger of each amount."""
        return Spent(
            calls=max(self.calls, other.calls),
            tokens=max(self.tokens, other.tokens),
            micro_usd=max(self.micro_usd, other.micro_usd),
        )

    def __str__(self) -> str:
        """Such as `120 calls, 90,000 tokens, $0.45`; what is zero is left out."""
        parts = [f"{self.calls:,} call{'s' if self.calls != 1 else ''}"]
        parts += [f"{self.tokens:,} tokens"] if self.tokens else []
        parts += [dollars(self.micro_usd)] if self.micro_usd else []
        return ", ".join(parts)


class Price(Model):
    """What the tokens of a model cost, in US dollars."""

    prompt_usd_per_1k: UsdPer1k = Field(
        alias="promptUsdPer1k", description="US dollars for 1,000 tokens of the prompt."
    )
    completion_usd_per_1k: UsdPer1k = Field(
        alias="completionUsdPer1k", description="US dollars for 1,000 tokens of the answer."
    )

    def micro_usd(self, prompt: int, completion: int) -> int:
        """Millionths of a dollar, rounded up: a budget must not be passed by rounding."""
        exact = (prompt * self.prompt_usd_per_1k + completion * self.completion_usd_per_1k) / 1000 * MICROS
        return ceil(round(exact, 6))


def dollars(micro_usd: int) -> str:
    """`$1.25`; small amounts with four places."""
    return f"${micro_usd / MICROS:.2f}" if micro_usd >= MICROS // 10 else f"${micro_usd / MICROS:.4f}"


class Spending(Model):
    """What one stage has spent, over all its pods and attempts."""

    lines: dict[str, Spent] = Field(default_factory=dict, description="By purpose and arm, such as replay/baseline.")
    days: dict[str, Spent] = Field(default_factory=dict, description="By day in UTC, such as 2026-01-31.")

    def by_purpose(self) -> dict[str, Spent]:
        """The lines of all arms together."""
        found: dict[str, Spent] = {}
        for name, spent in self.lines.items():
            purpose = name.split("/")[0]
            found[purpose] = found.get(purpose, Spent()) + spent
        return found

    def __str__(self) -> str:
        """Such as `replay/baseline 40 calls, 9,000 tokens; reflection 2 calls`."""
        return "; ".join(f"{name} {spent}" for name, spent in sorted(self.lines.items())) or "nothing"


class Booked(Model):
    """What the ledger knows to be spent, for a Job: the counters in Redis never fall below it."""

    stages: dict[str, dict[str, Spent]] = Field(default_factory=dict, description="Of this run, by stage and purpose.")
    days: dict[str, Spent] = Field(default_factory=dict, description="Of the Agent, by day in UTC.")
