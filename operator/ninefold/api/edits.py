"""Edits: the typed, evidenced changes that turn a baseline into a version."""

from typing import Annotated, Literal

from pydantic import Field

from ninefold.api.base import MetadataKey, Model, Sentence, ShortText, sentence

ComponentName = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^(system|(tool|context|fallback)\.[A-Za-z0-9][-._A-Za-z0-9]*)$",
        json_schema_extra=sentence("a component is called system, tool.<name>, context.<name> or fallback.<name>"),
    ),
]
EditKind = Literal["Refine", "InjectContext", "Tool", "Fallback", "Example"]
When = Annotated[dict[MetadataKey, Annotated[str, Field(max_length=512)]], Field(max_length=4)]


MAX_EDITS = 64
"""Edits of a version, and of the Agent's `spec.edits`, so that Git can take a version in."""


class Effect(Model):
    """What leaving a line out costs: success with it minus success without it, on the cases where it applies."""

    estimate: float = Field(ge=-1, le=1, description="Mean over clusters of the paired difference.")
    low: float = Field(ge=-1, le=1, description="Lower end of its 95 % interval.")
    high: float = Field(ge=-1, le=1, description="Upper end.")
    cases: int = Field(ge=0, description="Cases that were run with and without it.")


class Receipt(Model):
    """What an edit answers and what it is worth: the evidence that a reviewer reads beside the diff."""

    pattern: ShortText | None = Field(None, description="Id of the failure pattern that the edit answers.")
    summary: Sentence | None = Field(None, description="The pattern as a sentence.")
    evidence: Annotated[list[ShortText], Field(max_length=10)] = Field(
        default_factory=list, description="Trace ids that show the pattern, best first."
    )
    proposer: ShortText | None = Field(None, description="What wrote the edit: deterministic, reflection or gepa.")
    predicted_gain: float | None = Field(None, description="Success rate that analysis expects from it, 0..1.")
    tokens: int | None = Field(None, ge=0, description="Prompt tokens that the edit costs where it applies.")
    effect: Effect | None = Field(None, description="What replay measured when the edit was left out.")


class Edit(Model):
    """One targeted change of one component: its text is added to the component where `when` holds.

    An edit never rewrites what Git wrote; it adds a paragraph that can be left out again, which is what makes its
    effect measurable.
    """

    component: ComponentName = Field(description="The component that is changed: system, tool.<name>, ...")
    kind: EditKind = Field(description="What the edit does.")
    at: ShortText | None = Field(None, description="Decision point that the edit is about, for the reader.")
    when: When | None = Field(
        None, description="Metadata that a case must carry, all of it, for the edit to apply. Absent: every case."
    )
    text: Annotated[str, Field(min_length=1, max_length=32768)] = Field(description="The paragraph that is added.")
    receipt: Receipt | None = Field(None, description="Evidence and effect; not part of the version's hash.")
