"""What an analysis hands over: patterns, how well values predict, success by version."""

from typing import ClassVar, Literal

from pydantic import Field

from ninefold.api.artifacts import Artifact
from ninefold.api.base import Fraction, Model
from ninefold.api.run import ArtifactRef
from ninefold.api.spending import Spending
from ninefold.api.standing import SuccessRate

PatternKind = Literal[
    "ContextGap", "HallucinationTrigger", "ErrorLoop", "ToolSelectionBias", "NovelScenario", "PolicyBreach"
]


class Fact(Model):
    """Tokens that successful traces got from one source and that failing ones lacked."""

    when: dict[str, str] = Field(description="Metadata under which it holds; empty: always.")
    source: str = Field(description="The action (its arguments, as text) whose result shows the tokens.")
    tokens: list[str] = Field(description="Names, in the order in which the source shows them.")
    tasks: int = Field(ge=0, description="Distinct tasks that support it.")


class Interval(Model):
    estimate: float
    low: float
    high: float


class Cue(Model):
    """What could be seen before a choice and tells which of two tools is right. Many tasks share it."""

    tool: str | None = Field(None, description="Tool whose result shows it; absent: a word of the request.")
    name: str | None = Field(None, description="Field of the result; absent: a word of its text.")
    value: str = Field(description="The value, one word.")
    tasks: int = Field(ge=0, description="Distinct tasks that showed it.")


class Decision(Model):
    """A place in the course of a trace at which the agent chooses."""

    point: str = Field(description="Such as `first call`, or `after error <signature>`.")
    taken: str = Field(description="The losing choice, as an action signature.")
    better: str | None = Field(None, description="The choice that wins from the same state, as an action signature.")
    better_example: str | None = Field(None, description="One recorded call of the better choice: its arguments.")
    tool: str | None = Field(None, description="Tool that is called at this point.")
    cue: Cue | None = Field(None, description="ToolSelectionBias: what tells when the better tool is right.")


class Drift(Model):
    """How a pattern changed within the window."""

    change: Literal["Appeared", "Vanished"]
    version: str = Field(description="Agent version that it came or went with; empty: the traces name none.")
    day: str = Field(description="First day of the change, UTC.")
    before: Fraction = Field(description="Share of the traces at this point that took the losing choice, before it.")
    after: Fraction = Field(description="The same since.")
    message: str


class StepCredit(Model):
    """What one step of a trace changed, by what became of other traces in its states."""

    step: int = Field(ge=1)
    what: str = Field(description="The step as a signature, and how it went.")
    value: float = Field(description="Chance of success after it; after the last step the outcome itself.")
    credit: float = Field(description="Value after it less value before it.")
    low: float = Field(description="Lower end of the credit's 95 % interval.")
    high: float = Field(description="Upper end.")


class Introduced(Model):
    """The call of a trace that first names something which no message and no earlier result supports."""

    trace_id: str
    call: int = Field(ge=1, description="Which call of the trace it is, from 1.")
    action: str
    names: list[str] = Field(description="Identifiers as they are; of values only what they are, for they may be data.")


class Pattern(Model):
    """A decision at which the agent systematically loses."""

    id: str = Field(description="Stable over cycles: a hash of kind, decision point and choices.")
    kind: PatternKind
    summary: str = Field(description="A sentence that a person understands, with its figures.")
    decision: Decision
    failures: int = Field(ge=0, description="Failed traces that it explains.")
    traces: int = Field(ge=0, description="Traces that took the losing choice.")
    tasks: int = Field(ge=0, description="Distinct tasks among them.")
    effect: Interval = Field(description="Matched difference in success, better minus taken, with its 95 % interval.")
    p_value: float = Field(ge=0, le=1)
    regret: float = Field(ge=0, description="Failures that the better choice would save: lower bound x traces.")
    nines_lost: Interval
    predicted_gain: float = Field(
        description="Success rate that mending it should add to what mending the patterns before it does, 0..1."
    )
    predicted: Interval | None = Field(None, description="The same with its 95 % interval, that of the effect.")
    facts_cover: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of its losing traces for which the facts name all that successful ones needed; absent: "
        "unknown.",
    )
    counted_gain: float | None = Field(None, description="The same before earlier replays shrank it; absent: as it is.")
    replayed_gain: float | None = Field(None, description="What replay measured for this pattern before, on average.")
    evidence: list[str] = Field(description="Trace ids, best first, at most ten.")
    credits: list[StepCredit] = Field(default_factory=list, description="The best evidence, step by step.")
    introduced: list[Introduced] = Field(
        default_factory=list,
        description="Of a HallucinationTrigger: where the evidence brings in what nothing supports.",
    )
    errors: list[str] = Field(default_factory=list, description="Error signatures involved, most frequent first.")
    facts: list[Fact] = Field(default_factory=list)
    intents: list[str] = Field(default_factory=list, description="Intents that it is limited to; empty: everywhere.")
    drift: Drift | None = Field(None, description="It came or went within the window. Absent: it was there throughout.")
    weak: bool = Field(False, description="The values behind it are poorly calibrated.")


WEAK_AUC, WEAK_SKILL = 0.6, 0.02


SLOPE = (0.6, 1.6)
"""Figures of calibration outside which values are too poor to build on."""


class Calibration(Model):
    """How well values of states predict outcomes of tasks that they were not fitted on."""

    traces: int = Field(ge=0, description="Held-out traces that were scored, each in one state.")
    auc: float = Field(description="Area under the ROC curve: 0.5 is chance.")
    brier_skill: float = Field(description="1 - Brier score / that of the mean: 0 says no more than the mean.")
    slope: float = Field(description="Calibration slope: 1 is right, below it the values are too bold.")
    weak: bool = Field(description="Too poor to build on; patterns are marked as weak.")

    @property
    def message(self) -> str:
        """Each figure and what is needed of it, for conditions."""
        low, high = SLOPE
        return (
            f"AUC {self.auc:.2f} (at least {WEAK_AUC:.2f}), Brier skill {self.brier_skill:.2f} (at least "
            f"{WEAK_SKILL:.2f}), slope {self.slope:.2f} ({low:.1f} to {high:.1f})"
        )


class VersionRate(Model):
    """Success of one agent version on one day, or over all its days."""

    version: str
    day: str | None = Field(None, description="Date in UTC; absent: all days of the version.")
    success: SuccessRate


class Plateau(Model):
    """Whether the version that is served now still gets better by itself."""

    version: str
    plateaued: bool = Field(description="The upper bound of the trend is below the least gain worth having.")
    trend: float = Field(description="Change of the success rate over a week.")
    high: float = Field(description="Upper 95 % bound of the trend.")
    detectable: float = Field(description="The trend that these traces would have shown in four of five cases.")
    told: bool = Field(True, description="A trend worth having would have been seen: else there are too few traces.")
    message: str


class ErrorBudget(Model):
    """What must go for the next nine."""

    target: float = Field(description="Success rate that the next nine is.")
    failures_to_save: int = Field(ge=0)
    patterns: list[str] = Field(default_factory=list, description="Ids of the patterns that save enough, best first.")
    enough: bool = Field(description="Whether all of them together would do.")
    message: str


class CaseRef(ArtifactRef):
    """Held-out cases of one bucket, in an artifact of their own that proposals never see."""

    bucket: Literal["selection", "sealed"]
    cases: int = Field(ge=0)


class AnalysisReport(Artifact):
    kind: ClassVar[str] = "analysis"
    traces: int = Field(ge=0, description="Judged traces of all buckets.")
    analysed: int = Field(ge=0, description="Those of the analysis bucket.")
    steps: int = Field(ge=0)
    losses: dict[str, int] = Field(
        default_factory=dict, description="What was left out and why: malformed, unjudged, ..."
    )
    success: SuccessRate
    patterns: list[Pattern] = Field(default_factory=list, description="By nines lost, worst first.")
    unidentified: list[str] = Field(default_factory=list, description="Contrasts without enough support, as sentences.")
    calibration: Calibration | None = Field(None, description="How well values of states hold on unseen tasks.")
    versions: list[VersionRate] = Field(default_factory=list, description="Success by version, and by version and day.")
    plateau: Plateau | None = None
    budget: ErrorBudget | None = None
    cases: list[CaseRef] = Field(default_factory=list)
    judged: str | None = Field(None, description="What the judge of the search graded of history, as a sentence.")
    spending: Spending = Field(default_factory=Spending, description="What it has spent on that judge.")
