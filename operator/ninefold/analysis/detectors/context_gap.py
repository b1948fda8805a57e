"""ContextGap: the right tool, but something was missing that successful traces had looked up.

Which actions look things up is mined, not known (`Knowledge.informing`). The question is put where the gap can show:
at the first call, and after the first call that failed. The arms are to look up, and to go on without.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ninefold.analysis.episodes import Episode
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Choice, Question
from ninefold.analysis.state import state_before

FIRST_CALL = "first call"
FIRST_FAILURE = "after the first failed call"
RARELY = 0.05
"""Share of traces that look up at their first call, below which that choice does not occur there."""
MOSTLY = 0.8
"""Share of first failures that are the first call, from which the gap is said to open there."""


def questions(population: Sequence[Episode], knowledge: Knowledge) -> Iterator[Question]:
    """At the first call, and after the first failed one; as one question where nobody looks anything up at first.

    Then the gap is there from the first call on, but its effect can only be measured where both choices occur.
    """
    if not knowledge.informing:
        return
    first, after = [], []
    errors: Counter[str] = Counter()
    at_once = 0
    for episode in population:
        if episode.calls:
            first.append(_choice(episode, 0, knowledge))
        failed = next((i for i, c in enumerate(episode.calls) if c.error), None)
        if failed is not None and failed + 1 < len(episode.calls):
            after.append(_choice(episode, failed + 1, knowledge))
            errors[episode.calls[failed].error or ""] += 1
            at_once += failed == 0
    signatures = [e for e, _ in errors.most_common(5)]
    if sum(c.better for c in first) < RARELY * len(first) and at_once >= MOSTLY * len(after):
        yield Question("ContextGap", FIRST_CALL, after, signatures, f" (measured {FIRST_FAILURE}, where both occur)")
    else:
        yield Question("ContextGap", FIRST_CALL, first)
        yield Question("ContextGap", FIRST_FAILURE, after, signatures)


def _choice(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    call = episode.calls[i]
    looks = call.action in knowledge.informing
    return Choice(episode, call, state_before(episode.calls[:i], knowledge), looks, call.error is not None)
