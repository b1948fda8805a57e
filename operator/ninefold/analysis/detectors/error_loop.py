"""ErrorLoop: the same error again and again, because the agent answers it with the same kind of call.

One question for every error signature, after it came once, and one after it came twice in a row. The arms are to do
something else next, and to call the same action again.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ninefold.analysis.episodes import Call, Episode
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Choice, Question
from ninefold.analysis.state import state_before


def questions(population: Sequence[Episode], knowledge: Knowledge) -> Iterator[Question]:
    """One question a signature and length of the loop, the most frequent signatures first."""
    points: defaultdict[tuple[str, int], list[Choice]] = defaultdict(list)
    for episode in population:
        met: set[tuple[str, int]] = set()
        for i, call in enumerate(episode.calls[:-1]):
            if call.error is None:
                continue
            point = (call.error, min(_run(episode.calls, i), 2))
            if point not in met:
                met.add(point)
                points[point].append(_choice(episode, i, knowledge))
    for (error, times), choices in sorted(points.items(), key=lambda kv: (-len(kv[1]), kv[0])):
        once = f"after error {error}"
        if times == 1:
            yield Question("ErrorLoop", once, choices, [error])
        else:
            yield Question("ErrorLoop", f"{once} twice in a row", choices, [error], later_than=once)


def _choice(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    failed, following = episode.calls[i], episode.calls[i + 1]
    again = following.action == failed.action
    state = state_before(episode.calls[: i + 1], knowledge)
    return Choice(episode, following, state, not again, again and following.error == failed.error)


def _run(calls: Sequence[Call], i: int) -> int:
    """How many calls up to `i` have failed in a row with the same error."""
    n = 1
    while i - n >= 0 and calls[i - n].error == calls[i].error:
        n += 1
    return n
