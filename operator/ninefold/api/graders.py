"""How an outcome is graded where no score is recorded: rules, and judges that are models."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from ninefold.api.base import MetadataKey, Model, SecretKeyRef, ShortText, Url
from ninefold.api.spending import Price


class Regex(Model):
    """Good when the pattern is found in the answer."""

    pattern: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Python `re` syntax; searched in the first 20,000 characters."
    )


class JsonSchema(Model):
    """Good when the answer is one JSON document that this schema takes."""

    document: Annotated[
        dict[str, Any],
        Field(alias="schema", max_length=64, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}),
    ] = Field(alias="schema", description="JSON Schema, draft 2020-12 unless $schema says another; nothing is fetched.")


class Exact(Model):
    """Good when the answer is the expected text, blanks and case aside."""

    expected_key: MetadataKey = Field(
        description="Metadata key that holds the expected text. Cases without it are left to other graders."
    )


class Numeric(Model):
    """Good when the last number of the answer is the expected one."""

    expected_key: MetadataKey = Field(description="Metadata key that holds the expected number.")
    tolerance: float = Field(0.0, ge=0, description="Largest difference that still counts, absolute.")


class Grounded(Model):
    """Good when every identifier, number and quotation of the answer stands in what the agent was shown."""


class Rule(Model):
    """One rule."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.regex), has(self.jsonSchema), has(self.exact), has(self.numeric),"
                    " has(self.grounded)].filter(x, x).size() == 1",
                    "message": "name exactly one rule: regex, jsonSchema, exact, numeric or grounded",
                }
            ]
        }
    )

    regex: Regex | None = Field(None, description="A pattern is found in the answer.")
    json_schema: JsonSchema | None = Field(None, description="The answer is JSON of this schema.")
    exact: Exact | None = Field(None, description="The answer is the expected text.")
    numeric: Numeric | None = Field(None, description="The answer ends with the expected number.")
    grounded: Grounded | None = Field(None, description="The answer names nothing that the agent was not shown.")


class Judge(Model):
    """A model behind an OpenAI-compatible endpoint."""

    endpoint: Url = Field(description="Base URL of an OpenAI-compatible API, up to /v1.")
    model: ShortText = Field(description="Name of the model.")
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="The API key.")
    price: Price | None = Field(None, description="What its tokens cost; needed where the budget limits money.")


class Judges(Model):
    """Models that grade answers which neither score nor rules decide. They count only after a trial."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.search) || self.search.model != self.gate.model"
                    " || !(self.search.endpoint == self.gate.endpoint"
                    " || self.search.endpoint + '/' == self.gate.endpoint"
                    " || self.search.endpoint == self.gate.endpoint + '/')",
                    "message": "search and gate are the same judge: what the search has learned to please must not "
                    "decide at the gate; name another model or endpoint for one of them",
                },
                {
                    "rule": "self.history == 0 || has(self.search)",
                    "message": "the judge of the gate never meets what the analysis learns from: name another model "
                    "under search, or leave history out",
                },
            ]
        }
    )

    rubric: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="What a good answer is, in a sentence or a few."
    )
    gate: Judge = Field(description="Grades the sealed cases.")
    search: Judge | None = Field(
        None,
        description="Grades the race on selection cases. Absent: only what score or rules decide counts there.",
    )
    history: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Recorded traces of one reading that the judge of the search may grade for the analysis, where "
        "neither score nor rules decide; a sample. The others are left out as unjudged.",
    )
    max_tokens: int = Field(
        2_000_000, ge=1000, le=1_000_000_000, description="Tokens that one run may spend on each of them."
    )
