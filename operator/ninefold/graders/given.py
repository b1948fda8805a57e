"""What a grader is shown, and what it says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from ninefold.api.base import Model
from ninefold.api.outcomes import JudgeSaid

By = Literal["score", "rules", "judge"]


@dataclass(frozen=True)
class Given:
    """One run of a case, recorded or replayed. All texts are foreign: data, never instructions.

    `question`: what the user asked. `output`: the final answer; None when it is not known. `shown`: what the agent had
    before it answered: its prompts, and results of calls that went well. `scores`: recorded or returned, by name.
    """

    question: str = ""
    output: str | None = None
    shown: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)


class Grade(Model):
    """What the run was worth. `success` None: nobody can say, for the reason in `missing`: neither pass nor failure."""

    success: bool | None = None
    score: float | None = None
    by: By = Field("score", description="Who said so.")
    verdict: JudgeSaid | None = Field(None, description="What the judge says, also where it does not decide.")
    missing: str | None = Field(None, description="Why there is no outcome; our words alone.")


def question_of(asked: Any) -> str:
    """The user's words of a case's input: a text, or messages `[{role, content}]`; other JSON as it stands."""
    if isinstance(asked, str):
        return asked
    if isinstance(asked, list) and all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in asked):
        return "\n".join(message["content"] for message in asked)
    return json.dumps(asked, sort_keys=True, ensure_ascii=False)
