"""What a replay hands over: outcomes of every arm on every case, and what its judge showed."""

from typing import ClassVar, Literal

from pydantic import Field

from ninefold.api.artifacts import Artifact
from ninefold.api.base import Model
from ninefold.api.candidates import Candidate
from ninefold.api.spending import Spending

BASELINE = "baseline"


NULL_CONTROL = "control:null"


WRONG_KEY_CONTROL = "control:wrong-key"


JudgeSaid = Literal["Pass", "Fail", "Nothing"]
"""`Nothing`: the judge was asked and gave no verdict, which is missing data."""


class Outcome(Model):
    """What one arm did on one case. `success` None: unknown (error, no score); it is missing data, never a pass."""

    success: bool | None = None
    score: float | None = None
    steps: int = 0
    error_steps: int = Field(0, description="Steps that ended in an error.")
    tokens: int = Field(0, description="Prompt and completion tokens, as the endpoint reports them.")
    micro_usd: int | None = Field(None, ge=0, description="What it cost, in millionths of a US dollar.")
    millis: int | None = Field(None, ge=0, description="Milliseconds from the question to the answer.")
    invented: int | None = Field(
        None, ge=0, description="Names, numbers and quotations in calls and answer that nothing before supports."
    )
    error: str | None = None
    tool_calls: int = Field(0, ge=0, description="Tool calls that were asked for, where Ninefold runs the loop.")
    tool_answers: int = Field(0, ge=0, description="Those that a recording or the sandbox could answer.")
    tool_borrowed: int = Field(0, ge=0, description="Of these, those that a recording of another case answered.")
    sketch: list[int] = Field(
        default_factory=list,
        max_length=16,
        description="The smallest hashes of the final output's word pairs: outputs can be compared, not read.",
    )
    graded_by: Literal["score", "rules", "judge"] = Field("score", description="Who said whether it succeeded.")
    verdict: JudgeSaid | None = Field(
        None, description="What the judge said, also where a score decided. Absent: it was not asked."
    )


class ReplayRow(Model):
    """One case under every arm."""

    case_id: str
    cluster: str
    intent: str | None = None
    outcomes: dict[str, Outcome] = Field(description="By arm: baseline, candidate id, control:null, control:wrong-key.")


class Agreement(Model):
    """A judge against recorded outcomes on the outputs of one arm."""

    good: int = Field(ge=0, description="Outputs of recorded successes that it judged.")
    bad: int = Field(ge=0, description="Outputs of recorded failures that it judged.")
    missing: int = Field(0, ge=0, description="Outputs for which it had no verdict.")
    sensitivity_low: float = Field(ge=0, le=1, description="Lower bound of the share of good ones that it passes.")
    specificity_low: float = Field(ge=0, le=1, description="Lower bound of the share of bad ones that it fails.")


class JudgeReport(Model):
    """What a judge showed in this session, before its verdicts count."""

    judge: str
    baseline: Agreement
    candidate: Agreement
    canaries_shown: dict[str, int] = Field(description="By kind: answers that must not pass.")
    canaries_passed: dict[str, int] = Field(description="By kind: those that it let through.")
    canaries_missing: dict[str, int] = Field(
        default_factory=dict, description="By kind: those that it gave no verdict on."
    )
    exploits: list[str] = Field(
        default_factory=list,
        max_length=16,
        description="Texts of ours that have fooled a judge of this agent, newest first: canaries from now on.",
    )


class Coverage(Model):
    """How far recorded tool results went under one arm. What they lack is unknown, never a pass."""

    cases: int = Field(ge=0, description="Cases that were run.")
    unknown: int = Field(ge=0, description="Those that asked for a result that nobody has recorded.")
    tool_calls: int = Field(ge=0, description="Tool calls that were asked for.")
    tool_answers: int = Field(ge=0, description="Those that a recording or the sandbox answered.")
    tool_borrowed: int = Field(0, ge=0, description="Of these, those that a recording of another case answered.")


class Screened(Model):
    """One candidate at the decision that one of its patterns is about, by single steps after recorded beginnings."""

    candidate: str
    pattern: str = Field(description="Id of the pattern.")
    cases: int = Field(ge=0, description="Cases that were tried, one a cluster.")
    known: int = Field(ge=0, description="Those in which both arms chose what the population has support for.")
    baseline: float = Field(ge=0, le=1, description="Share of them in which the baseline made the better choice.")
    moved: float = Field(ge=-1, le=1, description="The candidate's share less the baseline's.")
    refuted: bool = Field(description="That it moves the decision by the least shift is refuted.")


class ReplayReport(Artifact):
    kind: ClassVar[str] = "replay"
    bucket: Literal["selection", "sealed"]
    arms: list[str]
    rows: list[ReplayRow]
    winner: str | None = Field(None, description="selection: id of the candidate that goes to the gate, if any.")
    why: str | None = Field(None, description="selection: why this winner or none, as a sentence with figures.")
    candidate: Candidate | None = Field(
        None, description="The winner (selection) or frozen candidate (sealed) itself, with measured receipts."
    )
    removals: list[str] = Field(
        default_factory=list, description="selection: lines of the stable version that no longer pay, as sentences."
    )
    screened: list[Screened] = Field(
        default_factory=list,
        description="selection: what single steps have said before the race; no outcomes.",
    )
    prompt_tokens: dict[str, int] = Field(default_factory=dict, description="Largest rendered prompt, by arm.")
    calls_paid: int = Field(0, ge=0, description="Calls that reached the endpoint, retries included.")
    calls_cached: int = Field(0, ge=0, description="Answers that had been paid before.")
    stopped: str | None = Field(None, description="Why it stopped early, such as the budget.")
    spending: Spending = Field(default_factory=Spending, description="What it has spent, on what and when.")
    coverage: dict[str, Coverage] = Field(
        default_factory=dict, description="By arm, where Ninefold ran the loop: what recordings could answer."
    )
    judge: JudgeReport | None = Field(None, description="Of the judge that gave the outcomes. Absent: recorded scores.")
    probes: list[ReplayRow] = Field(
        default_factory=list,
        max_length=200,
        description="sealed: injected instructions under baseline and candidate; success: not obeyed.",
    )
    probes_planned: int = Field(0, ge=0, description="sealed: how many were to be tried.")
    sealed_cases: int | None = Field(
        None, ge=0, description="selection: cases that the sealed replay would have, for its power."
    )
    planned_clusters: int | None = Field(
        None, ge=1, description="sealed: clusters that would have been run; fixed before the first, for the stakes."
    )
    planned_by_intent: dict[str, int] = Field(
        default_factory=dict, description="sealed: the clusters among them, by intent."
    )
