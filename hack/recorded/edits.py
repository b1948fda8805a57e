"""What each promoted edit is worth on questions that no stage has seen: predicted, measured in the race, and now.

Edits with the same words are one line of advice, whatever their conditions, and are left out together, as the race
does. All three figures are points of success over all questions: `predicted` is what analysis expected of the edit
alone; `raced` is what leaving the line out cost on the race's cases, scaled to the share of cases it applies to, and
counts from twenty cases on, for the outcome of five says less than the prediction;
`unseen` is the same on the test questions. What a line adds to the others is less than what it would do alone, so
`predicted` may be far above both where two lines answer one pattern.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ninefold.api.edits import Edit
from ninefold.client import applies, render
from ninefold.proposals.prune import LEAST_CASES
from ninefold.replay.ablation import Line, line, lines
from ninefold.versions import plain_edit
from recorded.agent import Case
from recorded.score import Play, Played, play_all

WITHIN = 0.05


@dataclass(frozen=True)
class Worth:
    """One line. Gains are shares of all questions; `raced` is None where the race did not measure it."""

    kind: str
    conditions: int
    applies: int
    predicted: float
    raced: float | None
    unseen: float

    @property
    def kept_its_word(self) -> bool:
        """Whether what the run promised when it promoted is within five points of what is there."""
        promised = self.predicted if self.raced is None else self.raced
        return abs(promised - self.unseen) <= WITHIN

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"within": self.kept_its_word}


def worth(
    baseline: Mapping[str, str], edits: Sequence[Edit], cases: Sequence[Case], play: Play, promoted: Sequence[Played]
) -> list[Worth]:
    """Every line of a version, the one that applies to most questions first. `promoted`: all of them with all edits."""
    found = [
        _worth(one, baseline=baseline, edits=edits, cases=cases, play=play, promoted=promoted) for one in lines(edits)
    ]
    return sorted(found, key=lambda w: (-w.applies, -w.unseen))


def _worth(
    one: Line,
    *,
    baseline: Mapping[str, str],
    edits: Sequence[Edit],
    cases: Sequence[Case],
    play: Play,
    promoted: Sequence[Played],
) -> Worth:
    own = [edit for edit in edits if line(edit) == one]
    rest = [plain_edit(edit) for edit in edits if line(edit) != one]
    touched = [n for n, case in enumerate(cases) if any(applies(plain_edit(e), case["metadata"]) for e in own)]
    without = play_all([cases[n] for n in touched], play, _rendering(baseline, rest))
    lost = sum(promoted[n].solved - alone.solved for n, alone in zip(touched, without, strict=True))
    receipts = [edit.receipt for edit in own if edit.receipt]
    effect = next((receipt.effect for receipt in receipts if receipt.effect), None)
    predicted = max((receipt.predicted_gain or 0.0 for receipt in receipts), default=0.0)
    share = len(touched) / max(1, len(cases))
    return Worth(
        kind=own[0].kind,
        conditions=len({str(edit.when) for edit in own if edit.when}),
        applies=len(touched),
        predicted=round(predicted, 4),
        raced=None if effect is None or effect.cases < LEAST_CASES else round(effect.estimate * share, 4),
        unseen=round(lost / max(1, len(cases)), 4),
    )


def _rendering(
    baseline: Mapping[str, str], edits: Sequence[Mapping[str, Any]]
) -> Callable[[Mapping[str, object]], Mapping[str, str]]:
    return lambda metadata: render(baseline, edits, metadata)
