"""Artifacts as values: taken, or refused with a reason."""

from dataclasses import dataclass
from typing import TypeVar

from ninefold.api.artifacts import Artifact
from ninefold.api.run import ArtifactRef
from ninefold.controllers.ports import ArtifactProblem, Reader

AnyArtifact = TypeVar("AnyArtifact", bound=Artifact)


@dataclass(frozen=True)
class Refused:
    """Why an artifact is not used: ArtifactLost (compute it once more), ArtifactForged or ArtifactVersion."""

    reason: str
    message: str


async def read_artifact(reader: Reader, ref: ArtifactRef, model: type[AnyArtifact]) -> AnyArtifact | Refused:
    """The artifact behind a reference that `jobstate` has let through. A store that is down raises."""
    try:
        return model.from_bytes(await reader.artifact(ref))
    except ArtifactProblem as problem:
        return Refused(problem.reason, problem.message)
    except ValueError as error:
        # The digest is right, so our own pod wrote it: another release's pod, if it cannot be read.
        return Refused("ArtifactVersion", str(error))
