"""What Jobs hand over: the artifacts of the stages, and what goes into a Job.

A pod writes its artifact as canonical JSON to the store and `{artifact, sha256, bytes}` (`ArtifactRef`) to its
termination message, or a `JobError`. The operator takes only bytes that match, from a pod of its own Job.
"""

import hashlib
import json
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError

from ninefold.api.base import Model
from ninefold.api.spending import Spending
from ninefold.api.tracebackend import Capabilities

SCHEMA_VERSION = 1
READABLE = (0, SCHEMA_VERSION)
"""Schema versions that this operator reads: its own and the one before (an upgrade meets Jobs under way)."""


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8. Digests are taken over these bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Artifact(Model):
    """Base of all artifacts."""

    kind: ClassVar[str] = ""
    schema_version: int = SCHEMA_VERSION

    def to_bytes(self) -> bytes:
        return canonical(self.wire())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an artifact back. Raises ValueError with a sentence that quotes nothing of the content."""
        try:
            artifact = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ValueError(f"this is no {cls.kind} artifact: {place}: {first['msg']}") from None
        if artifact.schema_version not in READABLE:
            raise ValueError(
                f"the {cls.kind} artifact has schema version {artifact.schema_version}, and this release reads "
                f"{' and '.join(str(version) for version in READABLE)}: use a jobs image of the operator's release"
            )
        return artifact


class JobError(Model):
    """Why a Job could not do its work, for the condition. Goes into the termination message instead of a result."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    message: Annotated[str, Field(max_length=3000)]
    permanent: bool = Field(description="True: the user must change something; trying again would say the same.")
    spending: Spending | None = Field(None, description="What its stage had spent until then, by purpose.")


# ---------------------------------------------------------------- probe


class ProbeReport(Artifact):
    kind: ClassVar[str] = "probe"
    capabilities: Capabilities


# ---------------------------------------------------------------- read


class ReadReport(Artifact):
    """What one shard has done; what it has read lies in the store as parts, slice by slice."""

    kind: ClassVar[str] = "read"
    shard: int = Field(ge=0)
    slices: int = Field(ge=0, description="Slices of the window that are this shard's.")
    read: int = Field(ge=0, description="Those of them that were read now; the others had been before.")
    traces: int = Field(ge=0, description="Traces in its slices.")
