"""How an agent does, as its status tells it: success with an interval, by version, its trend, the next nine."""

from typing import Annotated, Literal

from pydantic import Field

from ninefold.api.base import (
    Fraction,
    Model,
    Sentence,
    ShortText,
)


class SuccessRate(Model):
    """Success of this agent as last analysed, with a Wilson interval of 95 %."""

    traces: int = Field(ge=0, description="Judged traces.")
    rate: Fraction = Field(description="Share that succeeded.")
    low: Fraction = Field(description="Lower bound.")
    high: Fraction = Field(description="Upper bound.")
    nines: float = Field(ge=0, description="-log10(1 - low): never more nines than the sample supports.")


class VersionSuccess(Model):
    """Success of one version of the agent over the days on which it was seen."""

    version: ShortText = Field(description="As the traces name it; empty: they name none.")
    first_day: ShortText = Field(description="First day, UTC.", json_schema_extra={"format": "date"})
    last_day: ShortText = Field(description="Last day, UTC.", json_schema_extra={"format": "date"})
    success: SuccessRate = Field(description="Success in those days.")


class Trend(Model):
    """Whether the version that is served still gets better by itself."""

    state: Literal["Plateaued", "Moving", "TooFewTraces"] = Field(description="What the daily rates say.")
    message: Sentence = Field(description="The trend, its bound and the least gain worth having.")


class Standing(Model):
    """Where the agent stood when its traces were last analysed."""

    versions: Annotated[
        list[VersionSuccess],
        Field(
            max_length=10,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["version"]},
        ),
    ] = Field(default_factory=list, description="The versions seen last, the latest first.")
    trend: Trend | None = Field(None, description="Absent with fewer than three days of the latest version.")
    next_nine: Sentence | None = Field(None, description="Which patterns must go for the next nine.")
