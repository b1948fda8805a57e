"""What a project holds: rows as the API of each generation gives them out.

Observations are kept twice, for the generations differ in more than names: version 4 gives input and output as text
and flattens the metadata; older servers parse the one and nest the other.
"""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
PROJECT_ID = "stand-in"


@dataclass
class Project:
    """The rows of one project. `traces`, `observations_v1` and `scores_v1` are those of the older servers.

    `prompts` are versions as an older server shows them; `writes` counts the changes to them.
    """

    observations: list[Row] = field(default_factory=list)
    traces: list[Row] = field(default_factory=list)
    observations_v1: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    scores_v1: list[Row] = field(default_factory=list)
    prompts: list[Row] = field(default_factory=list)
    writes: int = 0
    id: str = PROJECT_ID
    name: str = "Stand-in"
