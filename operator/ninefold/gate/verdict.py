"""A condition in the making."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """What one check found."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
