"""Where the analysis is computed: in the Job's pod, or on a ClickHouse server."""

from typing import Annotated

from pydantic import Field

from ninefold.api.base import Model, SecretKeyRef, Url

ENGINE_PASSWORD = "NINEFOLD_ENGINE_PASSWORD"  # noqa: S105 - the name of the variable that carries it
"""Environment variable of the Job that analyses."""


class ClickHouseEngine(Model):
    """A ClickHouse server on which the coded traces of the analysis bucket are studied; texts they hold go along."""

    url: Url = Field(description="HTTP address of one server, such as http://clickhouse:8123.")
    username: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        "default", description="User. It must be allowed to create and drop databases whose names begin with ninefold_."
    )
    password_secret_ref: SecretKeyRef | None = Field(None, description="The user's password. Absent: none.")


class AnalysisEngine(Model):
    """Where the analysis is computed, when one pod is outgrown."""

    clickhouse: ClickHouseEngine = Field(description="A ClickHouse server.")
