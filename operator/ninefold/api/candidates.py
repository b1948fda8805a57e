"""What proposals hand over: candidates, each a change of the stable version."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ninefold.api.artifacts import Artifact
from ninefold.api.base import Model
from ninefold.api.edits import MAX_EDITS, Edit, EditKind
from ninefold.api.spending import Spending


class Candidate(Model):
    """A change of the stable version: edits that are added, and edits of its own that are left out."""

    id: str
    edits: list[Edit] = Field(default_factory=list)
    removes: list[str] = Field(
        default_factory=list, max_length=MAX_EDITS, description="Edits that go, by `versions.edit_hash`; none of Git's."
    )
    summary: str
    predicted_gain: float
    proposer: str

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.edits and not self.removes:
            raise ValueError("a candidate adds or removes at least one edit")
        return self


def is_composed(candidate_id: str) -> bool:
    """Whether the race has made this candidate of proposed ones: their ids are DNS labels, and its own is none."""
    return ":" in candidate_id or "+" in candidate_id


class ProposalSet(Artifact):
    kind: ClassVar[str] = "proposals"
    candidates: list[Candidate] = Field(default_factory=list)
    refused: list[str] = Field(
        default_factory=list, description="Edits that were considered and refused, as sentences."
    )
    skipped_kinds: list[EditKind] = Field(default_factory=list)
    reflection_tokens: int = Field(0, ge=0)
    spending: Spending = Field(default_factory=Spending, description="What it has spent, on what and when.")
