"""Drift: a pattern that vanished with a version is to that version's credit; one that appeared is a regression of it.

How often the losing choice is taken, among the traces that met the decision point, is compared before and after each
change of version, and, where versions explain nothing, before and after each day. Only a change by a factor counts,
and only when it is clearer than chance over all the moments that were tried (two-proportion test, Bonferroni).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ninefold.analysis.shrink import times
from ninefold.analysis.standing import date_of
from ninefold.analysis.stats.proportions import two_proportions
from ninefold.api.findings import Drift, Pattern

P = 0.01
"""Chance that a pattern that never changed is said to have."""
FACTOR = 3.0
"""Times as often, or as seldom, from which a pattern has appeared or vanished rather than moved."""
LEAST = 20
"""Traces that met the point on either side."""

Moment = tuple[str, int]
"""Agent version, '' for none, and day since 1970."""
Counts = Mapping[Moment, tuple[int, int]]
"""Traces that met the decision point at a moment, and those of them that took the losing choice."""


def with_drift(pattern: Pattern, counts: Counts) -> Pattern:
    """The pattern and how it changed. What mending it would gain is counted as it occurs since, not as it was."""
    found = drift(counts)
    if found is None:
        return pattern
    met, taken = _summed(counts, lambda *_: True)
    said = f"{pattern.summary} {found.message}"
    return times(pattern, min(1.0, found.after * met / taken)).model_copy(update={"drift": found, "summary": said})


def drift(counts: Counts) -> Drift | None:
    """The clearest change of a pattern, by version if that explains it, else by day; None when it is as it was."""
    first: dict[str, int] = {}
    for version, day in counts:
        first[version] = min(day, first.get(version, day))
    versions = sorted(first, key=lambda v: (first[v], v))
    found = _clearest([_summed(counts, lambda v, _, own=own: v == own) for own in versions])  # type: ignore[misc]
    if found is not None:
        place, before, after = found
        return _told(versions[place], first[versions[place]], before, after, "with")
    days = sorted({day for _, day in counts})
    found = _clearest([_summed(counts, lambda _, d, own=own: d == own) for own in days])  # type: ignore[misc]
    if found is None:
        return None
    place, before, after = found
    latest = max((v for v, d in counts if d == days[place]), key=versions.index)
    return _told(latest, days[place], before, after, "under")


_Cell = tuple[int, int]


def _summed(counts: Counts, own: Callable[[str, int], bool]) -> _Cell:
    cells = [cell for key, cell in counts.items() if own(*key)]
    return sum(met for met, _ in cells), sum(taken for _, taken in cells)


def _clearest(cells: Sequence[_Cell]) -> tuple[int, _Cell, _Cell] | None:
    """The place of the first cell after the clearest change, with (met, taken) before and after it."""
    splits = list(_splits(cells))
    tried = max(1, len(splits))
    clear = [(p, place, a, b) for place, a, b in splits if _apart(a, b) and (p := _p(a, b)) < P / tried]
    return min(clear)[1:] if clear else None


def _splits(cells: Sequence[_Cell]) -> Iterator[tuple[int, _Cell, _Cell]]:
    met, taken = sum(n for n, _ in cells), sum(x for _, x in cells)
    n = x = 0
    for place, (own_n, own_x) in enumerate(cells[:-1], 1):
        n, x = n + own_n, x + own_x
        if n >= LEAST and met - n >= LEAST:
            yield place, (n, x), (met - n, taken - x)


def _apart(before: _Cell, after: _Cell) -> bool:
    low, high = sorted((before[1] / before[0], after[1] / after[0]))
    return high >= FACTOR * low


def _p(before: _Cell, after: _Cell) -> float:
    return two_proportions(before[::-1], after[::-1])


def _told(version: str, day: int, before: _Cell, after: _Cell, how: str) -> Drift:
    was, now = before[1] / before[0], after[1] / after[0]
    named = f"the version {version}" if version else "no named version"
    verb = "appeared" if now > was else "vanished"
    return Drift(
        change="Appeared" if now > was else "Vanished",
        version=version,
        day=date_of(day),
        before=was,
        after=now,
        message=f"It {verb} {how} {named} on {date_of(day)}: the losing choice was taken in {was:.1%} of {before[0]} "
        f"traces before, and in {now:.1%} of {after[0]} since.",
    )
