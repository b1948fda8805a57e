"""What goes into a Job: all that was resolved once, when its run started."""

from pydantic import Field

from ninefold.api.agent import AgentSpec
from ninefold.api.base import Model, ShortText
from ninefold.api.edits import Edit
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.api.tracebackend import TraceBackendSpec


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
