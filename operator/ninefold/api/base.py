"""The words that all four kinds share: the model base, conditions, references and bounded strings.

Everything here becomes part of the CRD schema (`ninefold.api.crds`), so every string and list carries a bound: the
API server refuses an unbounded CEL rule, and etcd an unbounded object.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "ninefold.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
HASH10 = r"^[0-9a-f]{10}$"
DURATION = r"^([0-9]{1,6}[smhd])*0*[1-9][0-9]{0,5}[smhd]([0-9]{1,6}[smhd])*$"
"""Whole numbers with units, at least one of them above zero."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Model(BaseModel):
    """Base of every wire type: camelCase outside, snake_case inside, frozen, unknown fields left aside.

    Unknown fields are not an error here because the CRD schema already refuses them at `kubectl apply`, and an
    operator that was rolled back must still read what its successor wrote.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def wire(self) -> dict[str, Any]:
        """The JSON form, as the API server stores it: camelCase, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def sentence(text: str) -> dict[str, Any]:
    """For `json_schema_extra` beside a `pattern`: what the API server answers to a text that does not match it."""
    return {"x-sentence": text}


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        pattern=DNS_LABEL,
        json_schema_extra=sentence("write a name of lower-case letters, digits and '-', such as support-agent"),
    ),
]
ConfigMapName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        json_schema_extra=sentence("write a name of lower-case letters, digits, '-' and '.', such as support-prompts"),
    ),
]
Key = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        json_schema_extra=sentence("write a key of letters, digits, '-', '_' and '.', such as api-key"),
    ),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=128)]
ShortText = Annotated[str, Field(max_length=256)]
Sentence = Annotated[str, Field(max_length=1024)]
Url = Annotated[
    str,
    Field(
        max_length=2048,
        pattern=r"^https?://[^\s/@]+(/[^\s]*)?$",
        json_schema_extra=sentence(
            "write an http:// or https:// URL without user and password; a key goes into a Secret, by apiKeySecretRef"
        ),
    ),
]
Duration = Annotated[
    str,
    Field(
        max_length=20,
        pattern=DURATION,
        json_schema_extra=sentence(
            "write a time above zero, in whole numbers with s, m, h or d, such as 90s, 1h30m or 30d"
        ),
    ),
]
Hash10 = Annotated[
    str,
    Field(
        max_length=64,  # longer than the pattern, so that a whole version name is answered with the sentence
        pattern=HASH10,
        json_schema_extra=sentence("write the version's hash: ten hex digits, such as 0a1b2c3d4e, without the v<N>-"),
    ),
]
VersionName = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^v[0-9]{1,9}-[0-9a-f]{10}$",
        json_schema_extra=sentence("write the whole name of a version, number and hash, such as v3-0a1b2c3d4e"),
    ),
]
Fraction = Annotated[float, Field(ge=0, le=1)]


def parse_duration(text: str) -> timedelta:
    """`"1h30m"` as a timedelta. The pattern of `Duration` has been checked by the schema."""
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)([smhd])", text)))


def rfc3339(moment: datetime) -> str:
    """Kubernetes' time format: UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LocalRef(Model):
    """A reference to an object of a known kind in the same namespace."""

    name: Name = Field(description="Name of the object, in this namespace.")


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace. The operator never reads it; only the pod that needs it does."""

    name: ConfigMapName = Field(description="Name of the Secret, in this namespace.")
    key: Key = Field(description="Key inside the Secret.")


class ConfigMapKeyRef(Model):
    """One key of a ConfigMap in the same namespace."""

    name: ConfigMapName = Field(description="Name of the ConfigMap, in this namespace.")
    key: Key = Field(description="Key inside the ConfigMap.")


class Condition(Model):
    """One observation of the object's state, as `metav1.Condition`; the message carries the value and the threshold."""

    type: Annotated[str, Field(max_length=64)] = Field(description="Type of the condition, in CamelCase.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9]*)$")] = Field(
        description="One word in CamelCase that says why."
    )
    message: Annotated[str, Field(max_length=4096)] = Field(description="A sentence with the value and the threshold.")
    last_transition_time: Annotated[str, Field(max_length=40)] = Field(
        description="When the status last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int | None = Field(None, ge=0, description="The metadata.generation that this is about.")


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
