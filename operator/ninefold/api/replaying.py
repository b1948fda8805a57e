"""`spec.replay` and `spec.tools` of an Agent: how a case of the past is run again."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from ninefold.api.base import (
    Duration,
    Model,
    SecretKeyRef,
    ShortText,
    Url,
    parse_duration,
    sentence,
)

LEAVE = timedelta(seconds=10)
"""What a pod that is told to stop needs beside its calls under way: to grade and store them, and to say why it ends."""


LONGEST_DRAIN = timedelta(minutes=10)
"""A node that is drained shall not wait for a pod of ours longer than that."""


class ReplayEndpoint(Model):
    """The agent's staging endpoint: POST {case_id, input, metadata, components, seed}.

    It answers {steps, output, scores, usage}.
    """

    url: Url = Field(description="URL that a replayed case is posted to.")
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="Sent as a bearer token.")
    timeout: Duration = Field("60s", description="Longest time that one case may take.")


class AgentTool(Model):
    """A tool that the agent's model may call."""

    name: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[a-zA-Z0-9_-]{1,64}$",
            json_schema_extra=sentence("write the tool's name as the model knows it: letters, digits, '_' and '-'"),
        ),
    ] = Field(description="Its name, as in the traces.")
    description: Annotated[str, Field(max_length=8192)] | None = Field(
        None, description="What the model is told about it; a component tool.<name> goes before it."
    )
    parameters: Annotated[
        dict[str, Any], Field(max_length=64, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
    ] = Field(default_factory=dict, description="JSON Schema of its arguments.")
    shared: bool = Field(
        False,
        description="Its results hang on the arguments alone: not on whose case it is, on what was called before, or "
        "on when. Then replay.trajectory may answer a call with what other cases of the same intent recorded.",
    )


class ReplaySandbox(Model):
    """Runs tools that may be run again: POST {tool, arguments, case_id, metadata, seed}.

    It answers {output, status}.
    """

    url: Url = Field(description="URL that a call is posted to.")
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="Sent as a bearer token.")
    timeout: Duration = Field("60s", description="Longest time that one call may take.")
    tools: Annotated[
        list[ShortText], Field(min_length=1, max_length=128, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(description="The tools that it runs; all others are answered from recordings.")


class ReplayTrajectory(Model):
    """Ninefold runs the agent's loop: its model, its tools, and the results that were recorded."""

    max_steps: int = Field(20, ge=1, le=200, description="Calls of the model in one case; more is a failure.")
    timeout: Duration = Field("120s", description="Longest time that one answer of the model may take.")
    sandbox: ReplaySandbox | None = Field(None, description="Runs some tools instead of recordings.")


class ReplayStep(Model):
    """The agent's model makes one decision after a recorded beginning: enough to leave out what does not move it."""

    cases: int = Field(40, ge=10, le=200, description="Cases that one candidate is tried on, at most.")
    timeout: Duration = Field("120s", description="Longest time that one answer of the model may take.")


class AgentReplay(Model):
    """How a case of the past is run again under other prompts."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.endpoint) != has(self.trajectory)",
                    "message": "name one way to replay: endpoint, where the agent runs a case itself, or trajectory, "
                    "where its loop is run on recorded tool results",
                }
            ]
        }
    )

    endpoint: ReplayEndpoint | None = Field(None, description="The agent's staging endpoint.")
    trajectory: ReplayTrajectory | None = Field(
        None, description="Without a staging endpoint: the agent's loop, run on recorded tool results."
    )
    step: ReplayStep | None = Field(
        None,
        description="Before the race: leave out candidates that do not move the decision which they are meant to move. "
        "It proves nothing, and its outcomes count nowhere else.",
    )

    @property
    def drain(self) -> timedelta:
        """How long a pod that is told to stop waits for its calls under way: as long as one call may take.

        At least 20 s, and with `LEAVE` a pod's grace period, at most `LONGEST_DRAIN`.
        """
        sandbox = self.trajectory.sandbox if self.trajectory is not None else None
        named = (one.timeout for one in (self.endpoint, self.trajectory, sandbox, self.step) if one is not None)
        return min(LONGEST_DRAIN, max(timedelta(seconds=20), *map(parse_duration, named)))
