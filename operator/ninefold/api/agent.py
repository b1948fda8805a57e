"""Agent: the prompts that Git owns, how success is judged, how a case is run again, and where versions go."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ninefold.api.base import (
    Conditions,
    ConfigMapKeyRef,
    ConfigMapName,
    Hash10,
    LocalRef,
    MetadataKey,
    Model,
    SecretKeyRef,
    ShortText,
    Url,
    VersionName,
)
from ninefold.api.edits import MAX_EDITS, ComponentName, Edit
from ninefold.api.graders import Judge, Judges, Rule
from ninefold.api.prompts import Delivered, LangfusePrompt
from ninefold.api.replaying import AgentReplay, AgentTool
from ninefold.api.spending import Price
from ninefold.api.standing import Standing, SuccessRate


class ModelParameters(Model):
    """How the model is asked."""

    temperature: float | None = Field(None, ge=0, le=2, description="Sampling temperature.")
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(None, description="Nucleus of the sampling.")
    max_tokens: int = Field(4096, ge=1, le=1_000_000, description="Tokens of one answer, at most.")


class AgentModel(Model):
    """The model behind the agent. A change of its name makes earlier proofs stale."""

    name: ShortText = Field(description="Name of the model, as the endpoint knows it.")
    endpoint: Url | None = Field(
        None,
        description="Base URL of an OpenAI-compatible API, up to /v1; only asked where replay runs the agent's loop.",
    )
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="The API key of that endpoint.")
    parameters: ModelParameters = Field(default_factory=ModelParameters, description="How the model is asked.")
    context_window: int | None = Field(
        None, ge=256, le=10_000_000, description="Tokens that fit. A rendered prompt above it is refused."
    )
    price: Price | None = Field(
        None, description="What its tokens cost; needed where a budget limits money and answers do not tell their cost."
    )


class Component(Model):
    """One named prompt text that Git owns."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.text) != has(self.configMapKeyRef)",
                    "message": "give the text either inline in text or by configMapKeyRef, not both and not neither",
                }
            ]
        }
    )

    name: ComponentName = Field(description="system, tool.<name>, context.<name> or fallback.<name>.")
    text: Annotated[str, Field(max_length=131072)] | None = Field(None, description="The text itself.")
    config_map_key_ref: ConfigMapKeyRef | None = Field(None, description="A key of a ConfigMap that holds the text.")


class AgentTraces(Model):
    """Which traces are this agent's."""

    backend_ref: LocalRef = Field(description="The TraceBackend that holds them.")
    agent_name: ShortText | None = Field(
        None, description="gen_ai.agent.name (else service.name) of this agent's traces. Absent: all traces."
    )
    environment: ShortText | None = Field(None, description="deployment.environment.name of this agent's traces.")
    task_key: MetadataKey | None = Field(
        None, description="Metadata key whose equal values mean the same task; contrasts are matched within it."
    )


class Success(Model):
    """How an outcome is judged, of a recorded trace and of a replayed case alike: by its score; without one by rules.

    What neither of them decides in a replay may be put to a judge.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.score) || (has(self.rules) && self.rules.size() > 0)",
                    "message": "say how success is told: name a score, or write rules, or both",
                },
            ]
        }
    )

    score: ShortText | None = Field(None, description="Name of the score or evaluation; where it is there, it decides.")
    at_least: float = Field(1.0, description="A trace succeeded when its score is at least this.")
    rules: Annotated[list[Rule], Field(max_length=16)] = Field(
        default_factory=list, description="Where there is no score: all of these must hold."
    )
    judges: Judges | None = Field(
        None,
        description="Models that grade answers which neither score nor rules decide. They count only as far "
        "as they agree with those that score or rules do decide.",
    )

    @property
    def of_history(self) -> Judge | None:
        """The judge that grades a sample of history; None where none may."""
        return self.judges.search if self.judges is not None and self.judges.history else None


class Delivery(Model):
    """Where versions go, and who renders them."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.langfusePrompt) || self.mode == 'Mount'",
                    "message": "a Langfuse prompt is one text and cannot carry a condition: set delivery.mode to "
                    "Mount, or drop delivery.langfusePrompt",
                }
            ]
        }
    )

    mode: Literal["Mount", "Client"] = Field(
        "Mount",
        description="Mount: the agent mounts the ConfigMap and reads plain keys; only unconditional edits. "
        "Client: ninefold.client renders in the agent, with conditional edits.",
    )
    config_map: ConfigMapName = Field(description="The pointer ConfigMap that the agent reads; the operator owns it.")
    on_baseline_change: Literal["KeepCompatible", "Reset", "Hold"] = Field(
        "KeepCompatible",
        description="When Git changes the baseline. KeepCompatible: edits of components whose text did not change "
        "stay. Reset: back to the baseline alone. Hold: the pointer stays where it is.",
    )
    version_history_limit: int = Field(
        20,
        ge=1,
        le=500,
        description="How many old versions are kept, the newest, besides those that are served, stable, pinned, "
        "quarantined, Git's baseline, or what a rollback would serve.",
    )
    langfuse_prompt: LangfusePrompt | None = Field(
        None, description="Langfuse prompts that carry the same texts, for agents that read them from there."
    )


class AgentSpec(Model):
    """An agent as Git describes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.delivery.mode != 'Mount' || !has(self.edits) || self.edits.all(e, !has(e.when))",
                    "message": "delivery.mode Mount serves plain keys and cannot carry an edit with a condition: "
                    "drop edits[].when, or set delivery.mode to Client",
                },
                {
                    "rule": "!has(self.replay) || !has(self.replay.trajectory) || has(self.model.endpoint)",
                    "message": "replay.trajectory asks the agent's model: name its OpenAI-compatible API in "
                    "spec.model.endpoint",
                },
                {
                    "rule": "!has(self.replay) || !has(self.replay.step) || (has(self.model.endpoint) && "
                    "has(self.tools) && size(self.tools) > 0)",
                    "message": "replay.step asks the agent's model for its next call: name its OpenAI-compatible API "
                    "in spec.model.endpoint, and its tools in spec.tools",
                },
                {
                    "rule": "!has(self.edits) || self.edits.all(e, self.components.exists(c, c.name == e.component)"
                    " || e.component.startsWith('context.') || e.component.startsWith('fallback.'))",
                    "message": "an edit of system or tool.<name> needs a component of that name in spec.components",
                },
                {
                    "rule": "!has(self.delivery.langfusePrompt) || !has(self.delivery.langfusePrompt.prompts)"
                    " || self.components.all(c, self.delivery.langfusePrompt.prompts.exists(p, p.component == c.name))",
                    "message": "each of spec.components needs a prompt in delivery.langfusePrompt.prompts: "
                    "add the missing ones, or write prefix instead",
                },
            ]
        }
    )

    model: AgentModel = Field(description="The model behind the agent.")
    components: Annotated[
        list[Component],
        Field(
            min_length=1,
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(description="The prompt texts that Git owns.")
    edits: Annotated[list[Edit], Field(max_length=MAX_EDITS)] = Field(
        default_factory=list, description="Edits that Git has taken in, in order; part of the baseline."
    )
    tools: Annotated[
        list[AgentTool],
        Field(
            max_length=128,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(
        default_factory=list,
        description="The tools that its model may call; for replay.trajectory and replay.step.",
    )
    traces: AgentTraces = Field(description="Which traces are this agent's.")
    success: Success = Field(description="How an outcome is judged.")
    replay: AgentReplay | None = Field(None, description="How a case is run again. Absent: policies can only analyse.")
    delivery: Delivery = Field(description="Where versions go.")
    version: VersionName | None = Field(
        None, description="A pin, such as v3-0a1b2c3d4e: this version is served whatever else is known."
    )
    quarantine: Annotated[list[Hash10], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(
            default_factory=list,
            description="Hashes of versions that must not be served. The operator rolls back to the newest other one.",
        )
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain", description="When the Agent is deleted. Retain: pointer and versions stay, for live pods mount them."
    )


class TraceLoss(Model):
    """One way in which traces were left out, mended or late."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="Such as malformed_lines.")
    count: int = Field(ge=0, description="How often, in the window that was read.")


TraceLosses = Annotated[
    list[TraceLoss],
    Field(
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ),
]


class AgentStatus(Model):
    """What the operator last saw and serves."""

    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec that this is about.")
    conditions: Conditions = Field(
        default_factory=list,
        description="Ready, Reconciling, Stalled, Promoted, Delivered, Plateaued, PolicyConflict, ProofStale.",
    )
    stable_version: ShortText | None = Field(None, description="The version that the pointer serves.")
    delivered: Delivered | None = Field(None, description="What stands in Langfuse, with delivery.langfusePrompt.")
    success: SuccessRate | None = Field(None, description="Success as last analysed.")
    standing: Standing | None = Field(None, description="By version, the trend, and what the next nine takes.")
    losses: TraceLosses | None = Field(
        None, description="What was left out, mended or late when the traces were read, the most frequent first."
    )
    last_analyzed_run: ShortText | None = Field(None, description="The run that analysed it.")
