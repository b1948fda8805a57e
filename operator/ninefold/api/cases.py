"""Held-out cases of the past, to be run again."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from ninefold.api.artifacts import Artifact
from ninefold.api.base import Model

Bucket = Literal["analysis", "selection", "sealed"]


class RecordedCall(Model):
    """One tool call of the past and what it gave, whole: a result that was cut is none."""

    tool: str
    arguments: str = Field(description="As they were recorded: JSON, or text.")
    result: str
    error: bool = False


class Case(Model):
    """One held-out case of the past, to be run again."""

    case_id: str
    cluster: str = Field(description="The larger of session and task: cases of one cluster are not independent.")
    intent: str | None = None
    input: Any = Field(description="What the user said first: text, or messages.")
    metadata: dict[str, Any] = Field(default_factory=dict)
    succeeded: bool = Field(description="How it went in history. For stratification only, never an arm.")
    started: int | None = Field(None, description="When its trace started: seconds since 1970, UTC.")
    recorded: list[RecordedCall] = Field(
        default_factory=list, description="Its tool calls, in order; only where replay runs the agent's loop."
    )


class CaseSet(Artifact):
    kind: ClassVar[str] = "cases"
    bucket: Literal["selection", "sealed"]
    cases: list[Case]
