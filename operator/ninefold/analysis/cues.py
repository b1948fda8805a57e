"""Cues: what the agent could have seen that tells which of two tools is right. Pure.

That another tool wins is half of an advice; the other half is when. A cue is a value that stood in the results of the
calls before the choice (`goods` is `pallets` in a result of `book`), or a word of the request, and that turns the
comparison round: with it the losing tool does worse than without it, *and* worse than the better tool with it. A value
that all traces show, or one that goes along with failure whatever is called, does neither.

Only values that many distinct tasks share are looked at: what one user has is no cue, and would be his data.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from ninefold.analysis.episodes import Episode
from ninefold.analysis.words import one_word, values
from ninefold.api.artifacts import Cue, Decision, Pattern

CLEAR = 4.0
"""Standard errors of both differences. Hundreds of values are tried, so two would not do."""
LONGEST_PATH = 64

Feature = tuple[str, str, str]
"""Tool whose result shows it (empty: the request), name of the field (empty: a word of the text), value."""


@dataclass(frozen=True)
class _Choice:
    """One trace at the choice: which tool it took, how it ended, and what it had seen by then."""

    task: str
    better: bool
    solved: bool
    seen: frozenset[Feature]


def with_cues(patterns: Iterable[Pattern], population: Sequence[Episode], min_support: int) -> list[Pattern]:
    """The patterns; those of the kind `ToolSelectionBias` with the cue for the better tool, where there is one.

    `min_support`: distinct tasks that each of the four groups (tool × cue) needs, but for the better tool without the
    cue, which may never occur.
    """
    out = []
    for pattern in patterns:
        found = _cue(pattern.decision, pattern.intents, population, min_support) if _asks(pattern) else None
        decision = pattern.decision.model_copy(update={"cue": found})
        out.append(pattern.model_copy(update={"decision": decision}) if found else pattern)
    return out


def _asks(pattern: Pattern) -> bool:
    decision = pattern.decision
    return (
        pattern.kind == "ToolSelectionBias" and bool(decision.better) and tool(decision.taken) != tool(decision.better)
    )


def tool(action: str | None) -> str:
    """The tool of an action signature."""
    return (action or "").partition("(")[0]


def _cue(decision: Decision, intents: Sequence[str], population: Sequence[Episode], min_support: int) -> Cue | None:
    losing, better = tool(decision.taken), tool(decision.better)
    choices = [c for e in population if not intents or e.intent in intents if (c := _choice(e, losing, better))]
    having: defaultdict[Feature, list[_Choice]] = defaultdict(list)
    for choice in choices:
        for feature in choice.seen:
            having[feature].append(choice)
    best, strength = None, CLEAR
    for feature, own in sorted(having.items()):
        if len({c.task for c in own}) < min_support:
            continue
        z = _turns(own, [c for c in choices if feature not in c.seen], min_support)
        if z > strength:
            best, strength = feature, z
    if best is None:
        return None
    return Cue(tool=best[0] or None, name=best[1] or None, value=best[2], tasks=len({c.task for c in having[best]}))


def _turns(with_it: Sequence[_Choice], without: Sequence[_Choice], min_support: int) -> float:
    """How clearly a value turns the comparison round: the smaller of two differences, in standard errors."""
    right = [c for c in with_it if c.better]
    wrong = [c for c in with_it if not c.better]
    usual = [c for c in without if not c.better]
    if any(len({c.task for c in group}) < min_support for group in (right, wrong, usual)):
        return 0.0
    return min(_apart(right, wrong), _apart(usual, wrong))


def _apart(one: Sequence[_Choice], other: Sequence[_Choice]) -> float:
    """Difference of two success rates over its standard error, with one success and one failure added to each."""
    rates = [((sum(c.solved for c in group) + 1) / (len(group) + 2), len(group) + 2) for group in (one, other)]
    (p, n), (q, m) = rates
    return (p - q) / sqrt(p * (1 - p) / n + q * (1 - q) / m)


def _choice(episode: Episode, losing: str, better: str) -> _Choice | None:
    """The trace at its first call of one of the two tools; None when it called neither."""
    place = next((i for i, call in enumerate(episode.calls) if call.tool in (losing, better)), None)
    if place is None:
        return None
    seen = {("", "", word) for word in episode.told if one_word(word)}
    for call in episode.calls[:place]:
        if call.error is None:
            seen.update((call.tool, name, value) for name, value in _shown(call.result))
    return _Choice(episode.task, episode.calls[place].tool == better, episode.solved, frozenset(seen))


def _shown(result: str) -> Iterator[tuple[str, str]]:
    """(field, value) of a result: short single words, and flags; the words of a text have no field."""
    for path, value in values(result):
        name = "" if path == "text" else path.removesuffix("{}").rpartition(".")[2]
        if one_word(value) and len(name) <= LONGEST_PATH and not path.endswith("{}"):
            yield name, value
    try:
        parsed = json.loads(result)
    except (ValueError, RecursionError):
        return
    if isinstance(parsed, dict):
        yield from ((name, str(value).lower()) for name, value in parsed.items() if isinstance(value, bool))
