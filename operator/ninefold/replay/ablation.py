"""Leave one out: what every edit of the winner is worth, measured by running the winner without it. Pure.

Edits only add paragraphs, so leaving one out is another rendering of the same cases, and cases to which the edit does
not apply render alike and cost nothing. Edits with the same words under several conditions are one line of advice and
are left out together. The effect is the mean over clusters of "with minus without", on the cases where it applies,
with a normal interval; it goes into the edit's receipt. It is what the line adds to the others, not what it would do
alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from ninefold.api.candidates import Candidate
from ninefold.api.edits import Edit, Effect
from ninefold.api.outcomes import ReplayRow
from ninefold.pairing import cluster_means, strict, success

ABLATION = "without:"
NORMAL_95 = 1.96
LEAST_CLUSTERS = 5
"""Below, an interval would say nothing."""

Line = tuple[str, str, str]


def line(edit: Edit) -> Line:
    """What counts as one line: component, kind and words, whatever the conditions."""
    return edit.component, edit.kind, edit.text


def lines(edits: Sequence[Edit]) -> list[Line]:
    return list(dict.fromkeys(map(line, edits)))


@dataclass(frozen=True)
class Ablated:
    """An arm id and the edits that are left."""

    arm: str
    left_out: Line
    edits: Sequence[Edit]


def ablations(edits: Sequence[Edit]) -> list[Ablated]:
    """One arm a line. A single line has none: without it, what is left is the baseline."""
    found = lines(edits)
    if len(found) < 2:
        return []
    return [Ablated(f"{ABLATION}{n}", one, [e for e in edits if line(e) != one]) for n, one in enumerate(found)]


def causes(edits: Sequence[Edit], asks: Mapping[str, str]) -> list[list[Line]]:
    """Lines that ask for the same, together; `asks`: by pattern, the action that its edits ask for.

    Where one line does harm, those that ask for the same action do it, too, and to leave out one of them would show
    nothing. Facts ask for nothing and stand alone, as do lines of unknown patterns.
    """
    found: dict[object, list[Line]] = {}
    for edit in edits:
        asked = asks.get(edit.receipt.pattern or "") if edit.receipt and edit.kind != "InjectContext" else None
        found.setdefault(asked or line(edit), []).append(line(edit))
    return [list(dict.fromkeys(own)) for own in found.values()]


def without(candidate: Candidate, left_out: Sequence[Line], number: int) -> Candidate | None:
    """The candidate without some lines, named as the race names what it makes; None when nothing else is left."""
    kept = [edit for edit in candidate.edits if line(edit) not in left_out]
    told = f"{candidate.summary}, {len(left_out)} lines less"
    update = {"id": f"{candidate.id}:{ABLATION}{number}", "edits": kept, "summary": told}
    return candidate.model_copy(update=update) if kept else None


def effect(rows: Sequence[ReplayRow], arm: str, without: str) -> Effect | None:
    """Effect over the clusters in which an arm with the line differs in its prompt from one without it.

    The rows must be those cases only. None for fewer than `LEAST_CLUSTERS` clusters.
    """
    means = cluster_means([strict(row) for row in rows], arm, without, success)
    if len(means) < LEAST_CLUSTERS:
        return None
    middle, half = fmean(means), NORMAL_95 * stdev(means) / sqrt(len(means))
    return Effect(
        estimate=round(middle, 6),
        low=round(max(-1.0, middle - half), 6),
        high=round(min(1.0, middle + half), 6),
        cases=len(rows),
    )


def with_effects(candidate: Candidate, effects: Mapping[Line, Effect | None]) -> Candidate:
    """The candidate whose receipts say what each line is worth."""
    edits = []
    for edit in candidate.edits:
        measured = effects.get(line(edit))
        if measured is not None and edit.receipt is not None:
            edit = edit.model_copy(update={"receipt": edit.receipt.model_copy(update={"effect": measured})})  # noqa: PLW2901
        edits.append(edit)
    return candidate.model_copy(update={"edits": edits})


def without_losers(candidate: Candidate, effects: Mapping[Line, Effect | None]) -> Candidate:
    """The candidate without lines that are shown to do harm (the whole interval below zero); all stay if none would."""
    kept = [e for e in candidate.edits if (measured := effects.get(line(e))) is None or measured.high >= 0]
    return candidate.model_copy(update={"edits": kept}) if kept else candidate


def removals(edits: Sequence[Edit], effects: Mapping[Line, Effect | None]) -> list[str]:
    """A sentence for each line of the stable version that does not pay: it costs tokens and no gain is left.

    That is an estimate of zero or less whose upper bound is below `WORTHWHILE`, or an interval below zero.
    """
    told = []
    for edit in {line(e): e for e in edits}.values():
        measured = effects.get(line(edit))
        if measured is not None and (measured.high < 0 or (measured.estimate <= 0 and measured.high <= WORTHWHILE)):
            told.append(
                f"The {edit.kind} of {edit.component} no longer pays: left out, success changes by "
                f"{-measured.estimate * 100:+.1f} points ({-measured.high * 100:+.1f} to {-measured.low * 100:+.1f}) "
                f"on {measured.cases} cases. Take it out of the Agent's edits."
            )
    return told


WORTHWHILE = 0.05
"""Gain in success, on the cases where a line applies, that it may still have without anybody having noticed."""
