"""What a replay mode is: a request goes in, an answer comes out, or one of two errors that say what to do next.

A mode runs one case under one set of rendered components, once: in one call (`Replayer`) or in several, each of which
it buys (`Walker`). It neither retries nor counts nor remembers: that is done at the till (`ninefold.replay.till`), the
same for every mode. What is kept of an answer holds no content: scores, counts and a sketch are what outcomes are made
of, so user data never reaches the store. What was said is there for as long as it takes to grade it.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import Field

from ninefold.api.base import Model
from ninefold.graders import Grade
from ninefold.replay.invented import Called

Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Request:
    """One case under rendered components: `{case_id, input, metadata, components, seed}` of the contract."""

    case_id: str
    input: Any
    metadata: dict[str, Any]
    components: dict[str, str]
    seed: int

    def wire(self) -> dict[str, Any]:
        """The JSON object that is posted; also what tells this request from every other."""
        return {
            "case_id": self.case_id,
            "input": self.input,
            "metadata": self.metadata,
            "components": self.components,
            "seed": self.seed,
        }


class Usage(Model):
    """What one call took, as the other side reports it. None: it does not say."""

    prompt: int | None = None
    completion: int | None = None
    micro_usd: int | None = None

    @property
    def tokens(self) -> int | None:
        """Prompt and answer together."""
        if self.prompt is None and self.completion is None:
            return None
        return (self.prompt or 0) + (self.completion or 0)


class Answer(Model):
    """What is kept of one answer: its scores by name, and how much it took."""

    scores: dict[str, Finite]
    steps: int = Field(0, ge=0)
    error_steps: int = Field(0, ge=0, description="Steps whose status is `error`.")
    sketch: list[int] = Field(default_factory=list, description="Of the final output, see `replay.sketch`.")
    tokens: int = Field(0, ge=0, description="Prompt and completion tokens together; 0 when not reported.")
    output: Any = Field(None, exclude=True, description="The final output, for graders; never stored.")
    shown: list[str] = Field(default_factory=list, exclude=True, description="Results of steps, for graders.")
    called: list[Called] = Field(default_factory=list, exclude=True, description="Calls in their order; never stored.")
    invented: int | None = Field(None, ge=0, description="What it named without support, see `replay.invented`.")
    micro_usd: int | None = Field(None, ge=0, description="What it cost, where somebody says so.")
    millis: int | None = Field(None, ge=0, description="Time it took; none when it came from memory.")
    grade: Grade | None = Field(None, description="What it was worth.")
    tool_calls: int = Field(0, ge=0, description="Tool calls that the agent asked for, where we run its loop.")
    tool_answers: int = Field(0, ge=0, description="Those that could be answered.")
    tool_borrowed: int = Field(0, ge=0, description="Of these, those that a recording of another case answered.")
    missing: str | None = Field(None, description="Why nothing can be said of this case; our words alone.")
    usage: Usage = Field(default_factory=Usage, exclude=True, description="What it took, for the budget.")
    once: bool = Field(False, exclude=True, description="All tries of this request are one run, and paid once.")

    def said(self) -> str | None:
        """The final output as graders read it: a text as it is, other JSON as JSON; None when there is none."""
        if self.output is None or isinstance(self.output, str):
            return self.output
        return json.dumps(self.output, sort_keys=True, ensure_ascii=False)


class PassingError(Exception):
    """Not answered for a reason that may pass. `wait` is the least number of seconds that the other side asks for.

    `ran`: the case may have been run all the same, and paid for. `limited`: refused for the rate of calls.
    """

    def __init__(self, reason: str, wait: float = 0.0, *, ran: bool = True, limited: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.ran = ran and not limited
        self.limited = limited


class RejectedError(Exception):
    """Answered, but not with an outcome, and asking again would say the same. `status` is 0 for an unreadable answer.

    `reason` goes into the report and into conditions: it is made of our words, status codes and short error codes,
    never of the answer's text.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Replayer(Protocol):
    """A replay mode. `identity` is what, besides the request, an answer depends on (such as the URL): JSON values.

    `name` tells a user which backend this is, such as the host of the endpoint.
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> dict[str, Any]: ...

    async def replay(self, request: Request) -> Answer:
        """Run the case once. Raises PassingError or RejectedError."""
        ...


@dataclass(frozen=True)
class Bought:
    """What a call gave. `value` is a JSON value; `keep` False: it is not to be stored.

    `once`: the other side runs a repeated request once, so all tries of this one were one call.
    """

    value: Any
    usage: Usage
    once: bool = False
    keep: bool = True


Ask = Callable[[], Awaitable[Bought]]
Buy = Callable[[Any, Usage, Ask], Awaitable[Any]]
"""(what names the call: a JSON value, a guess of what it takes, one try) -> the answer, which was paid once."""


@runtime_checkable
class Walker(Protocol):
    """A replay mode that runs a case in several calls. `name` and `identity` as for a `Replayer`."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> dict[str, Any]: ...

    async def walk(self, request: Request, buy: Buy) -> Answer:
        """Run the case, with every call bought by `buy`. Raises PassingError or RejectedError."""
        ...


def seconds_of(retry_after: str) -> float:
    """Seconds that Retry-After asks for, as a number or as a date (RFC 9110, 10.2.3); 0 when it says nothing."""
    value = retry_after.strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
