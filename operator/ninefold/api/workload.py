"""`spec.jobs` of a policy: what its Jobs' pods get, and where they run."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ninefold.api.base import (
    Duration,
    Model,
    ShortText,
    sentence,
)

Quantity = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?$",
        json_schema_extra=sentence("write a quantity as Kubernetes does, such as 500m, 2 or 1Gi")
        | {"x-kubernetes-int-or-string": True},
    ),
    BeforeValidator(str),  # `cpu: 1` is a number in YAML
]


Resources = Annotated[dict[Literal["cpu", "memory", "ephemeral-storage"], Quantity], Field(max_length=3)]


class JobResources(Model):
    """Requests and limits of a Job's container."""

    requests: Resources | None = Field(None, description="What is reserved.")
    limits: Resources | None = Field(None, description="What may be used.")


class Toleration(Model):
    """As in a Pod."""

    key: ShortText | None = Field(None, description="Key of the taint. Absent, with Exists: every taint.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Equal when absent.")
    value: ShortText | None = Field(None, description="Value of the taint, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. Absent: every effect."
    )


class Jobs(Model):
    """How the Jobs of a run are run."""

    image: Annotated[str, Field(max_length=512)] | None = Field(None, description="Image. Absent: the operator's own.")
    service_account_name: ShortText | None = Field(None, description="Service account; its token is never mounted.")
    resources: JobResources = Field(default_factory=JobResources, description="Requests and limits.")
    node_selector: Annotated[dict[ShortText, ShortText], Field(max_length=16)] = Field(
        default_factory=dict, description="Labels that a node must carry."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = Field(
        default_factory=list, description="Taints of nodes that are tolerated."
    )
    deadline: Duration = Field("2h", description="Longest time that one Job may take.")
    backoff_limit: int = Field(3, ge=0, le=10, description="Pods of one Job that may fail.")
