"""HallucinationTrigger: a call names things that nothing before it supports, and fails.

Support is what the trace itself holds: system and user messages, and results of earlier calls that went well. Words
of the tool's own language need none. The question is put at the first call that acts (rather than looks up) after one
has failed. What had been looked up by then is part of the state, so that the pattern does not claim what a missing
look-up explains; for the same reason it is put at the first call only where no action is known to look things up.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ninefold.analysis.episodes import Call, Episode
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Choice, Question
from ninefold.analysis.state import state_before
from ninefold.analysis.words import identifiers, words

NEXT_ATTEMPT = "next attempt after a failed call"


def questions(population: Sequence[Episode], knowledge: Knowledge) -> Iterator[Question]:
    """At the next attempt after a failed call, and at the first call where nothing could have been looked up."""
    first, after = [], []
    errors: Counter[str] = Counter()
    for episode in population:
        if episode.calls and not knowledge.informing:
            first.append(_choice(episode, 0, knowledge))
            errors[episode.calls[0].error or ""] += 1
        failed = next((i for i, c in enumerate(episode.calls) if c.error), None)
        if failed is None:
            continue
        acts = (i for i in range(failed + 1, len(episode.calls)) if episode.calls[i].action not in knowledge.informing)
        if (i := next(acts, None)) is not None:
            after.append(_choice(episode, i, knowledge))
            errors[episode.calls[i].error or ""] += 1
    known = [e for e, _ in errors.most_common(6) if e]
    yield Question("HallucinationTrigger", "first call", first, known)
    yield Question("HallucinationTrigger", NEXT_ATTEMPT, after, known)


def _choice(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    call = episode.calls[i]
    invented = unsupported(call, episode.calls[:i], episode.told, knowledge.language)
    state = state_before(episode.calls[:i], knowledge)
    return Choice(episode, call, state, not invented, bool(invented) and call.error is not None)


def unsupported(call: Call, before: Sequence[Call], told: frozenset[str], language: frozenset[str]) -> set[str]:
    """Identifiers of a call that neither the messages nor earlier results nor the tool's language account for."""
    rest = identifiers(call.args) - told - language
    for earlier in before:
        if rest and earlier.error is None:
            rest -= words(earlier.result)
    return rest
