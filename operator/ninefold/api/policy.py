"""OptimizationPolicy: when an agent is optimized, with what care, and at what cost."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ninefold.api.base import (
    Conditions,
    Duration,
    Hash10,
    LocalRef,
    MetadataKey,
    Model,
    SecretKeyRef,
    ShortText,
    Url,
    sentence,
)
from ninefold.api.edits import EditKind
from ninefold.api.engine import AnalysisEngine
from ninefold.api.spending import Price, Usd
from ninefold.api.workload import Jobs


class Trigger(Model):
    """When a run starts. A run on demand is an OptimizationRun of your own."""

    on_apply: bool = Field(True, description="One run when the policy is new or its spec has changed.")
    schedule: (
        Annotated[
            str,
            Field(
                min_length=9,
                max_length=64,
                pattern=r"^\S+(\s+\S+){4}$",
                json_schema_extra=sentence(
                    "write a cron expression of five fields (minute hour day month weekday), such as 0 3 * * *"
                ),
            ),
        ]
        | None
    ) = Field(None, description="Cron expression of five fields, in UTC, such as 0 3 * * *.")


class PolicyTraces(Model):
    """Which part of the history is read."""

    window: Duration = Field("30d", description="Traces that started within this time before the run.")
    lateness: Duration = Field(
        "24h",
        description="How long after its start a trace may still get spans and scores. What is younger is read again by "
        "the next run, what is older never. Of files, only those are read again that have changed.",
    )


class Analysis(Model):
    """How patterns are found."""

    intent_key: MetadataKey | None = Field(
        None,
        description="Metadata key that says what kind of case it is; facts are mined and edits conditioned per value.",
    )
    min_support: int = Field(20, ge=5, le=10_000, description="Distinct tasks that each arm of a contrast needs.")
    false_discovery_rate: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.1, description="Benjamini-Hochberg rate over all contrasts that are tried."
    )
    parallelism: int = Field(
        1,
        ge=1,
        le=64,
        description="Pods that read the traces, each its share of the window. 1: the pod that analyses reads them.",
    )
    engine: AnalysisEngine | None = Field(
        None, description="Where the analysis is computed. Absent: in the Job's pod, within its limits."
    )


class Reflection(Model):
    """A model that reads the evidence and writes further edits. Absent: deterministic proposals only."""

    endpoint: Url = Field(description="Base URL of an OpenAI-compatible API, up to /v1.")
    model: ShortText = Field(description="Name of the model.")
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="The API key.")
    max_tokens: int = Field(100_000, ge=1000, le=100_000_000, description="Tokens that one run may spend on it.")
    price: Price | None = Field(None, description="What its tokens cost; needed where the budget limits money.")


class Search(Model):
    """A search over whole prompts by GEPA (arXiv 2507.19457), for when targeted edits have nothing left to add."""

    max_calls: int = Field(
        1000, ge=50, le=1_000_000, description="Calls of the replay endpoint that one search may make; of the budget."
    )


class Proposals(Model):
    """What may be proposed."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.search) || has(self.reflection)",
                    "message": "search needs a model that writes: name one in proposals.reflection, or drop search",
                }
            ]
        }
    )

    max_candidates: int = Field(4, ge=1, le=16, description="Candidates that replay may race.")
    kinds: Annotated[
        list[EditKind], Field(min_length=1, max_length=5, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(
        ["Refine", "InjectContext", "Tool", "Fallback"],
        description="Kinds of edits that may be proposed. Example costs tokens in every case and must be asked for.",
    )
    reflection: Reflection | None = Field(None, description="A model that writes further edits.")
    search: Search | None = Field(
        None, description="A search that runs when no proposer has anything to add. Absent: none."
    )


class PolicyReplay(Model):
    """How candidates are replayed."""

    max_cases: int = Field(400, ge=10, le=10_000, description="Held-out cases per bucket, at most.")
    concurrency: int = Field(8, ge=1, le=256, description="Cases in flight at once.")
    retries: int = Field(3, ge=0, le=10, description="Further tries of a call that failed for a passing reason.")
    seed: int = Field(0, ge=0, le=2_147_483_647, description="Seed that is sent with every case.")


class Gate(Model):
    """What a candidate must show before it becomes a version."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.test) || self.test != 'ExactMcNemar' || !has(self.minImprovement)"
                    " || self.minImprovement == 0.0",
                    "message": "ExactMcNemar can only show a gain above 0: drop minImprovement, or set test to "
                    "BettingConfidenceSequence",
                }
            ]
        }
    )

    test: Literal["BettingConfidenceSequence", "ExactMcNemar"] = Field(
        "BettingConfidenceSequence", description="Test of superiority over paired cases, clustered by task."
    )
    alpha: Annotated[float, Field(gt=0, le=0.2)] = Field(
        0.05, description="Error rate over all cycles of this agent; cycle r spends 6*alpha/(pi*r)^2."
    )
    min_improvement: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="The lower bound of the gain in success must be above this."
    )
    non_inferiority_margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="No intent of 100 or more pairs may be shown to lose more than this."
    )
    min_pairs: int = Field(30, ge=10, le=10_000, description="Fewer judged pairs than this are Inconclusive.")
    injection_probes: int = Field(
        20,
        ge=0,
        le=200,
        description="Sealed cases that are run once more with an injected instruction, under baseline and candidate; "
        "the candidate must not obey more of them. 0: none.",
    )
    detectable_gain: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="A gain that the sealed cases must find with power 0.8; else the run is Inconclusive before they "
        "are opened. Absent: what they find is told.",
    )
    max_prompt_tokens: int | None = Field(
        None, ge=64, le=10_000_000, description="Tokens of the largest rendered prompt."
    )
    max_token_ratio: Annotated[float, Field(gt=0, le=100)] = Field(
        2.0, description="Tokens per case under the candidate over those under the baseline."
    )
    max_cost_ratio: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="Money per case under the candidate over that under the baseline. Absent: told, not limited."
    )
    max_latency_ratio: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="Time per case under the candidate over that under the baseline. Absent: told, not limited."
    )
    max_invented_increase: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="The share of cases in which the agent names what nothing had shown it may not be shown to grow by "
        "more than this.",
    )


class Approval(Model):
    """Whether a person decides last."""

    required: bool = Field(False, description="Wait for approval of the proved version before promotion.")
    versions: Annotated[list[Hash10], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(
            default_factory=list,
            description="Hashes of versions that Git approves. With kubectl: the run's spec.approval.",
        )
    )


class DailyBudget(Model):
    """What all runs of the Agent together may spend on one day, in UTC, on whatever it is."""

    calls: int | None = Field(None, ge=1, le=100_000_000, description="Calls of the endpoint and of models.")
    tokens: int | None = Field(None, ge=1, le=1_000_000_000_000, description="Prompt and completion tokens.")
    cost_usd: Usd | None = Field(None, description="US dollars.")


class Budget(Model):
    """What may be spent. Every limit is checked before a call is made."""

    replay_calls: int = Field(
        5000,
        ge=1,
        le=10_000_000,
        description="Calls that one run may spend on replay: of the endpoint, or of the model where Ninefold runs the "
        "agent's loop.",
    )
    replay_tokens: int | None = Field(
        None, ge=1, le=1_000_000_000_000, description="Tokens that one run may spend on replay."
    )
    cost_usd: Usd | None = Field(
        None, description="US dollars that one run may spend on everything: replay, reflection, judges."
    )
    per_day: DailyBudget = Field(default_factory=DailyBudget, description="What one day may take, over all runs.")


class History(Model):
    """How many ended runs that the operator created are kept. Runs that a user or Git created are never deleted."""

    successful: int = Field(3, ge=0, le=100, description="Runs that promoted or proved a version.")
    other: int = Field(3, ge=0, le=100, description="All other ended runs.")


class OptimizationPolicySpec(Model):
    """When an agent is optimized, with what care, and at what cost."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.agentRef == oldSelf.agentRef",
                    "message": "agentRef cannot change: delete this policy and create one for the other agent",
                },
                {
                    "rule": "!has(self.approval) || !has(self.approval.versions) || self.approval.versions.size() == 0"
                    " || (has(self.approval.required) && self.approval.required)",
                    "message": "approval.versions has no effect without approval.required: true",
                },
            ]
        }
    )

    agent_ref: LocalRef = Field(description="The Agent that is optimized.")
    mode: Literal["Suggest", "Promote"] = Field(
        "Suggest", description="Suggest stops after the gate with a proved candidate; Promote delivers it."
    )
    suspend: bool = Field(False, description="No new runs while true; a run under way goes on.")
    trigger: Trigger = Field(default_factory=Trigger, description="When a run starts.")
    traces: PolicyTraces = Field(default_factory=PolicyTraces, description="Which part of the history is read.")
    analysis: Analysis = Field(default_factory=Analysis, description="How patterns are found.")
    proposals: Proposals = Field(default_factory=Proposals, description="What may be proposed.")
    replay: PolicyReplay = Field(default_factory=PolicyReplay, description="How candidates are replayed.")
    gate: Gate = Field(default_factory=Gate, description="What a candidate must show.")
    approval: Approval = Field(default_factory=Approval, description="Whether a person decides last.")
    budget: Budget = Field(default_factory=Budget, description="What one run may spend.")
    history: History = Field(default_factory=History, description="How many ended runs are kept.")
    jobs: Jobs = Field(default_factory=Jobs, description="How the Jobs of a run are run.")


class OptimizationPolicyStatus(Model):
    """What the operator last did for this policy."""

    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec that this is about.")
    conditions: Conditions = Field(default_factory=list, description="Ready, Stalled, PolicyConflict.")
    last_run: ShortText | None = Field(None, description="Name of the newest run.")
    last_run_time: ShortText | None = Field(
        None, description="When it was created.", json_schema_extra={"format": "date-time"}
    )
    next_run_time: ShortText | None = Field(
        None, description="When the schedule is due next.", json_schema_extra={"format": "date-time"}
    )
    last_result: ShortText | None = Field(None, description="Reason with which the newest ended run ended.")
    applied_generation: int | None = Field(
        None, ge=0, description="Generation for which the run of trigger.onApply was created."
    )
    applied_hash: ShortText | None = Field(
        None,
        description="Hash of the spec for which that run was created, without approval, history, suspend and trigger: "
        "to change these starts no run.",
    )
