"""The two doors of the controllers: what they read through and what they write through.

The operator plugs in the watch cache, the API client and Redis (`ninefold.kube`, `ninefold.store`); the crash tests
plug in a simulated cluster that dies after the n-th write.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from ninefold.api.run import ArtifactRef
from ninefold.controllers.actions import Action, Manifest

AGENT_OF_POLICY = "spec.agentRef.name"
POLICY_OF_RUN = "spec.policyRef.name"
AGENT_OF_RUN = "status.agent"
BACKEND_OF_AGENT = "spec.traces.backendRef.name"
POINTER_OF_AGENT = "spec.delivery.configMap"
PROMPTS_OF_AGENT = "spec.delivery.langfusePrompt.backendRef.name"

INDEXED_FIELDS = {
    "OptimizationPolicy": (AGENT_OF_POLICY,),
    "OptimizationRun": (POLICY_OF_RUN, AGENT_OF_RUN),
    "Agent": (BACKEND_OF_AGENT, POINTER_OF_AGENT, PROMPTS_OF_AGENT),
}
"""By kind, the fields by which objects can be listed: those that refer to others."""


@dataclass(frozen=True, order=True)
class Key:
    """What the queue holds: one object to be reconciled."""

    kind: str
    namespace: str
    name: str


class ArtifactProblem(Exception):
    """An artifact cannot be taken. `reason` is ArtifactLost (gone: compute once more) or ArtifactForged (refuse)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Reader(Protocol):
    """Reads objects as the API server's JSON. Own writes are visible at once; others' within the watch's delay."""

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object by kind (`Agent`, `Job`, `ConfigMap`, ...), or None."""
        ...

    async def list(
        self,
        kind: str,
        namespace: str,
        labels: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
    ) -> list[Manifest]:
        """Objects of a kind in a namespace with all the labels and these values of indexed fields, ordered by name."""
        ...

    async def artifact(self, ref: ArtifactRef) -> bytes:
        """The bytes behind a reference, checked against digest and length. Raises ArtifactProblem."""
        ...


class Writer(Protocol):
    """Performs one action; returns the object as stored, where there is one."""

    async def perform(self, action: Action) -> dict[str, Any] | None: ...
