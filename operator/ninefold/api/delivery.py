"""What goes into a `deliver` Job, and what it hands back."""

from typing import Literal

from pydantic import Field

from ninefold.api.artifacts import Artifact
from ninefold.api.base import Model
from ninefold.api.prompts import DeliveredPrompt
from ninefold.api.tracebackend import LangfuseSource


class PromptText(Model):
    """The text that one Langfuse prompt shall carry."""

    name: str = Field(description="Name of the prompt.")
    type: Literal["Text", "Chat"] = "Text"
    text: str


class LabelledTexts(Model):
    """Texts that belong together, and the label that shall be on each of them."""

    label: str
    version: str = Field(description="The version that they are, such as v3-0a1b2c3d4e.")
    texts: list[PromptText]


class DeliverInputs(Model):
    """`inputs.json` of a deliver Job."""

    agent: str = Field(description="Name of the Agent, for the commit message.")
    langfuse: LangfuseSource
    labels: list[LabelledTexts] = Field(min_length=1, description="The stable version's first.")


class DeliveryReport(Artifact):
    kind = "delivery"
    prompts: list[DeliveredPrompt] = Field(description="Where the first label is now.")
    written: int = Field(ge=0, description="Versions of prompts that were written; 0: all texts were there.")
    moved: int = Field(ge=0, description="Versions that got a label.")
