"""What our race believes best while it still runs, by its own search data, as the others are asked after each score.

GEPA and random search name a best candidate whenever a score has come in. Our race names none before its end, but the
arms stand side by side after every round on the cases so far, and whoever has solved most of them leads. The watch
reads this off the rows that the race has bought anyway: it buys nothing, and decides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, ReplayRow
from ninefold.pairing import strict, success
from ninefold.replay import Arm, Runner

Mark = Callable[[VersionContent], None]


@dataclass
class Watched(Runner):
    """A runner of the race that tells `mark` who leads after each round.

    Rounds run a null edit along. A run without one leaves lines out of the winner, so the winner was decided before it,
    and is told before it is run.
    """

    mark: Mark = lambda content: None
    _rows: dict[str, ReplayRow] = field(default_factory=dict)

    async def run(self, cases: Sequence[Case], arms: Sequence[Arm]) -> list[ReplayRow]:
        contents = {arm.id: arm.content for arm in arms}
        raced = NULL_CONTROL in contents
        standing = [one for one in contents if one != NULL_CONTROL]
        if not raced:
            self.mark(contents[standing[1]])
        rows = await super().run(cases, arms)
        if raced:
            self._rows |= {row.case_id: row for row in rows}
            self.mark(contents[leader(list(self._rows.values()), standing)])
        return rows


def leader(rows: Sequence[ReplayRow], arms: Sequence[str]) -> str:
    """The arm that solved most of the cases which all of `arms` ran; the baseline, then the first, among equals."""
    common = [row for row in map(strict, rows) if all(arm in row.outcomes for arm in arms)]
    solved = {arm: sum(success(row.outcomes[arm]) for row in common) for arm in arms}
    return max(arms, key=lambda arm: (solved[arm], arm == BASELINE))
