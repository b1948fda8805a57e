"""What Jobs hand over: the artifacts of the stages, and what goes into a Job.

A pod writes its artifact as canonical JSON to the store and `{artifact, sha256, bytes}` (`ArtifactRef`) to its
termination message, or a `JobError`. The operator takes only bytes that match, from a pod of its own Job.
"""

import hashlib
import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ninefold.api.agent import AgentSpec
from ninefold.api.base import Fraction, Model, ShortText
from ninefold.api.edits import MAX_EDITS, Edit, EditKind
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.api.run import ArtifactRef
from ninefold.api.spending import Spending
from ninefold.api.standing import SuccessRate
from ninefold.api.tracebackend import Capabilities, TraceBackendSpec

SCHEMA_VERSION = 1
READABLE = (0, SCHEMA_VERSION)
"""Schema versions that this operator reads: its own and the one before (an upgrade meets Jobs under way)."""

Bucket = Literal["analysis", "selection", "sealed"]
PatternKind = Literal[
    "ContextGap", "HallucinationTrigger", "ErrorLoop", "ToolSelectionBias", "NovelScenario", "PolicyBreach"
]


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8. Digests are taken over these bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Artifact(Model):
    """Base of all artifacts."""

    kind: ClassVar[str] = ""
    schema_version: int = SCHEMA_VERSION

    def to_bytes(self) -> bytes:
        return canonical(self.wire())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an artifact back. Raises ValueError with a sentence that quotes nothing of the content."""
        try:
            artifact = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ValueError(f"this is no {cls.kind} artifact: {place}: {first['msg']}") from None
        if artifact.schema_version not in READABLE:
            raise ValueError(
                f"the {cls.kind} artifact has schema version {artifact.schema_version}, and this release reads "
                f"{' and '.join(str(version) for version in READABLE)}: use a jobs image of the operator's release"
            )
        return artifact


class JobError(Model):
    """Why a Job could not do its work, for the condition. Goes into the termination message instead of a result."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    message: Annotated[str, Field(max_length=3000)]
    permanent: bool = Field(description="True: the user must change something; trying again would say the same.")
    spending: Spending | None = Field(None, description="What its stage had spent until then, by purpose.")


# ---------------------------------------------------------------- what goes in


class VersionContent(Model):
    """What a version consists of: component texts and ordered edits. Its hash covers exactly this, without receipts."""

    components: dict[str, str]
    edits: list[Edit] = Field(default_factory=list)


class GainRecord(Model):
    """What was counted for a pattern before a replay, and what the replay then measured. Kept in the ledger."""

    run_uid: ShortText
    pattern: ShortText = Field(description="Id of the pattern that the candidate's edits answered.")
    kind: ShortText
    counted: float = Field(description="Success rate that counting promised, 0..1, before earlier replays shrank it.")
    replayed: float = Field(description="Its share of the gain on the sealed cases.")
    pairs: int = Field(ge=0, description="Paired cases behind it.")


class ProbeInputs(Model):
    """`inputs.json` of a probe Job."""

    backend: TraceBackendSpec


class RunInputs(Model):
    """`inputs.json` of every Job of a run: all that was resolved once, when the run started."""

    run: str
    run_uid: str
    namespace: str
    agent_name: str
    agent_uid: str
    agent: AgentSpec
    policy: OptimizationPolicySpec
    backend: TraceBackendSpec
    baseline: VersionContent = Field(description="The stable version: what is served now and what candidates extend.")
    window_start: str
    window_end: str
    sealed_since: str | None = Field(None, description="Until when traces were among sealed cases of earlier runs.")
    gains: list[GainRecord] = Field(default_factory=list, description="What earlier replays made of predictions.")


# ---------------------------------------------------------------- probe


class ProbeReport(Artifact):
    kind: ClassVar[str] = "probe"
    capabilities: Capabilities


# ---------------------------------------------------------------- read


class ReadReport(Artifact):
    """What one shard has done; what it has read lies in the store as parts, slice by slice."""

    kind: ClassVar[str] = "read"
    shard: int = Field(ge=0)
    slices: int = Field(ge=0, description="Slices of the window that are this shard's.")
    read: int = Field(ge=0, description="Those of them that were read now; the others had been before.")
    traces: int = Field(ge=0, description="Traces in its slices.")


# ---------------------------------------------------------------- analyze


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


# ---------------------------------------------------------------- propose


class Candidate(Model):
    """A change of the stable version: edits that are added, and edits of its own that are left out."""

    id: str
    edits: list[Edit] = Field(default_factory=list)
    removes: list[str] = Field(
        default_factory=list, max_length=MAX_EDITS, description="Edits that go, by `versions.edit_hash`; none of Git's."
    )
    summary: str
    predicted_gain: float
    proposer: str

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.edits and not self.removes:
            raise ValueError("a candidate adds or removes at least one edit")
        return self


def is_composed(candidate_id: str) -> bool:
    """Whether the race has made this candidate of proposed ones: their ids are DNS labels, and its own is none."""
    return ":" in candidate_id or "+" in candidate_id


class ProposalSet(Artifact):
    kind: ClassVar[str] = "proposals"
    candidates: list[Candidate] = Field(default_factory=list)
    refused: list[str] = Field(
        default_factory=list, description="Edits that were considered and refused, as sentences."
    )
    skipped_kinds: list[EditKind] = Field(default_factory=list)
    reflection_tokens: int = Field(0, ge=0)
    spending: Spending = Field(default_factory=Spending, description="What it has spent, on what and when.")


# ---------------------------------------------------------------- replay

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
