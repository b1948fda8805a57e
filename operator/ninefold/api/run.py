"""OptimizationRun: one turn of the loop."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ninefold.api.agent import TraceLosses
from ninefold.api.base import Conditions, Fraction, Hash10, LocalRef, Model, Sentence, ShortText
from ninefold.api.standing import Standing, SuccessRate

JobStage = Literal["read", "analyze", "propose", "replay-selection", "replay-sealed"]


class OptimizationRunSpec(Model):
    """Immutable, but for `cancel` (false to true) and `approval` (set once)."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.policyRef == oldSelf.policyRef",
                    "message": "a run is immutable: create another run for the other policy",
                },
                {
                    "rule": "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
                    "message": "a cancelled run stays cancelled: create another run",
                },
                {
                    "rule": "!has(oldSelf.approval) || (has(self.approval) && self.approval == oldSelf.approval)",
                    "message": "approval is set once: to undo a promotion, name the hash in the Agent's quarantine",
                },
            ]
        }
    )

    policy_ref: LocalRef = Field(description="The policy whose settings this run takes.")
    cancel: bool = Field(False, description="Set to true to end the run and its Jobs.")
    approval: Hash10 | None = Field(None, description="Hash of the proved version that you approve for promotion.")


class ArtifactRef(Model):
    """Where a Job left its result, and what it must hash to."""

    artifact: Annotated[str, Field(max_length=512)] = Field(description="Key in the store.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] = Field(description="Digest of the bytes.")
    bytes: int = Field(ge=0, description="Their number.")


class StageStatus(Model):
    """One stage of the run and the Job that did it."""

    name: JobStage = Field(description="Stage.")
    attempt: int = Field(1, ge=1, description="Attempt, from 1; a lost artifact is computed once more.")
    job: ShortText | None = Field(None, description="Name of the Job.")
    result: ArtifactRef | None = Field(None, description="The verified result.")


class CandidateStatus(Model):
    """The candidate that selection froze before the sealed cases were opened."""

    id: ShortText = Field(description="Id within the proposals.")
    hash: Hash10 = Field(description="Hash of its version.")
    version: ShortText | None = Field(None, description="v<N>-<hash>, once it has passed the gate.")
    summary: Sentence | None = Field(None, description="What it changes.")


class PatternSummary(Model):
    """One failure pattern, as kubectl shows it; the whole one is in the report."""

    id: ShortText = Field(description="Id of the pattern, stable over cycles.")
    kind: ShortText = Field(description="Kind of the pattern, such as ContextGap.")
    nines_lost: float = Field(ge=0, description="Nines that the agent would gain without it.")
    failures: int = Field(ge=0, description="Failed traces that it explains.")
    summary: Sentence = Field(description="The pattern as a sentence.")
    predicted_gain: float | None = Field(None, description="Success rate that mending it should add, 0..1.")
    counted_gain: float | None = Field(None, description="The same before earlier replays shrank the prediction.")


class Figures(Model):
    """The numbers behind the verdict."""

    traces: int | None = Field(None, ge=0, description="Traces analysed.")
    success: Fraction | None = Field(None, description="Success in those traces.")
    baseline: Fraction | None = Field(None, description="Success of the baseline on the sealed cases.")
    candidate: Fraction | None = Field(None, description="Success of the candidate on the sealed cases.")
    gain: float | None = Field(None, description="Difference, paired.")
    gain_bound: float | None = Field(None, description="Its lower bound at the alpha that this cycle spends.")
    expected: Fraction | None = Field(
        None, description="Success to expect of the candidate on all traffic: that of the traces plus the gain."
    )
    pairs: int | None = Field(None, ge=0, description="Paired cases.")
    replay_calls: int | None = Field(None, ge=0, description="Calls of the replay endpoint that were paid.")


class SpentOn(Model):
    """What the run has spent on one purpose."""

    purpose: ShortText = Field(description="replay, reflection, judge or gepa.")
    calls: int = Field(ge=0, description="Calls, retries included.")
    tokens: int = Field(0, ge=0, description="Prompt and completion tokens, as far as they are reported.")
    cost_usd: float = Field(0, ge=0, description="US dollars, as far as they are known.")


class OptimizationRunStatus(Model):
    """How far the run is, and how it ended."""

    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec that this is about.")
    phase: ShortText | None = Field(None, description="For the eye only; decide by conditions.")
    conditions: Conditions = Field(
        default_factory=list,
        description="TracesAnalyzed, CandidatesProposed, Replayed, ReplayPassed and its parts, Approved, RolledOut, "
        "Succeeded, and Ready, Reconciling, Stalled.",
    )
    agent: ShortText | None = Field(None, description="The Agent that this run is about.")
    job_image: Annotated[str, Field(max_length=512)] | None = Field(None, description="Image pinned for all its Jobs.")
    inputs_hash: ShortText | None = Field(None, description="Hash of the ConfigMap <run>-inputs.")
    stages: Annotated[
        list[StageStatus],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list, description="The stages so far.")
    patterns: Annotated[list[PatternSummary], Field(max_length=10)] = Field(
        default_factory=list, description="The patterns that cost most, first the worst."
    )
    candidate: CandidateStatus | None = Field(None, description="The frozen candidate.")
    figures: Figures = Field(default_factory=Figures, description="The numbers behind the verdict.")
    spent: Annotated[
        list[SpentOn],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["purpose"]},
        ),
    ] = Field(default_factory=list, description="What its ended stages have spent.")
    success: SuccessRate | None = Field(None, description="Success in the traces that were analysed.")
    standing: Standing | None = Field(None, description="By version, the trend, and what the next nine takes.")
    losses: TraceLosses | None = Field(
        None, description="What was left out, mended or late when the traces were read, the most frequent first."
    )
    baseline_version: ShortText | None = Field(
        None, description="The version that was served when the run started, and that its candidates extend."
    )
    start_time: ShortText | None = Field(
        None, description="When the operator took the run up.", json_schema_extra={"format": "date-time"}
    )
    completion_time: ShortText | None = Field(
        None, description="When it ended.", json_schema_extra={"format": "date-time"}
    )
