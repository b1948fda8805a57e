"""Delivery to Langfuse: which prompt carries which component, and what the Agent's status tells of it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ninefold.api.base import LocalRef, Model, ShortText, sentence
from ninefold.api.edits import ComponentName

PromptName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\s/|]+( [^\s/|]+)*(/[^\s/|]+( [^\s/|]+)*)*$",
        json_schema_extra=sentence("write the prompt's name in Langfuse, folders with '/', such as support/system"),
    ),
]
PromptPrefix = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"^[-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*$",
        json_schema_extra=sentence("write a folder of prompts in Langfuse without '/' at its ends, such as support"),
    ),
]
PromptLabel = Annotated[
    str,
    Field(
        max_length=64,  # longer than the pattern, so that a long label is answered with the sentence
        pattern=r"^[a-z0-9_.-]{1,27}$",
        json_schema_extra=sentence(
            "write a label of at most 27 lower-case letters, digits, '-', '_' and '.', such as production"
        ),
    ),
]
"""Langfuse takes 36 characters, and `ninefold-<label>` must fit as well."""


class LangfusePromptOf(Model):
    """One component, and the Langfuse prompt that carries its text."""

    component: ComponentName = Field(description="system, tool.<name>, context.<name> or fallback.<name>.")
    name: PromptName = Field(description="Name of the prompt in Langfuse, with its folder, such as support/system.")
    type: Literal["Text", "Chat"] = Field(
        "Text",
        description="Text: the prompt is the text. Chat: the text is the content of its one system message; other "
        "messages of the prompt stay as they are.",
    )


class LangfusePrompt(Model):
    """Langfuse prompts that carry what the pointer ConfigMap serves, for agents that call get_prompt.

    A `deliver` Job writes versions and moves the label; it leaves a label alone that a person has moved since.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.prefix) != has(self.prompts)",
                    "message": "write prefix, for all components, or prompts, a name for each; one of the two",
                },
                {
                    "rule": "self.label != 'latest' && (!has(self.canaryLabel) || self.canaryLabel != 'latest')",
                    "message": "Langfuse itself keeps the label latest: write another one, such as production",
                },
                {
                    "rule": "!has(self.canaryLabel) || self.canaryLabel != self.label",
                    "message": "canaryLabel must be another label than label: write canary, for instance",
                },
                {
                    "rule": "!has(self.prompts) || self.prompts.all(p, self.prompts.exists_one(q, q.name == p.name))",
                    "message": "two components name the same prompt, and a prompt carries one text: give each its own",
                },
            ]
        }
    )

    backend_ref: LocalRef = Field(description="A TraceBackend with langfuse.host: its host and keys are used.")
    prefix: PromptPrefix | None = Field(
        None, description="Each component becomes the text prompt <prefix>/<component>, such as support/system."
    )
    prompts: (
        Annotated[
            list[LangfusePromptOf],
            Field(
                min_length=1,
                max_length=64,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["component"]},
            ),
        ]
        | None
    ) = Field(None, description="The prompt of each component. A version with a component that has none is refused.")
    label: PromptLabel = Field("production", description="Label on the stable version: what get_prompt gives.")
    canary_label: PromptLabel | None = Field(
        None, description="Label on the canary; on the stable version while there is none."
    )


class DeliveredPrompt(Model):
    """One Langfuse prompt as last seen."""

    name: ShortText = Field(description="Name of the prompt.")
    version: int = Field(ge=1, description="Langfuse's number of the version that the label is on.")


class Delivered(Model):
    """What stands in Langfuse, as the last `deliver` Job found or left it."""

    version: ShortText | None = Field(None, description="The version whose texts the label is on. Absent: none yet.")
    prompts: Annotated[list[DeliveredPrompt], Field(max_length=64)] = Field(
        default_factory=list, description="The prompts that carry it."
    )
    target: ShortText = Field(description="Hash of what the last Job was told: texts, names, labels, host and keys.")
    last_time: ShortText = Field(description="When the last Job ended.", json_schema_extra={"format": "date-time"})
    failed: int = Field(0, ge=0, description="Jobs for this target that failed since the last good one.")
