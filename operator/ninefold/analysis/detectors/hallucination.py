"""HallucinationTrigger: a call names things that nothing before it supports, and fails.

Support is what the trace itself holds: system and user messages, and results of earlier calls that went well; what
they do not account for was found when the trace was read (`reading`). Words of the tool's own language need none.

Names are asked about at the first call that acts (rather than looks up) after one has failed. What had been looked up
by then is part of the state, so that the pattern does not claim what a missing look-up explains; for the same reason
it is put at the first call only where no action is known to look things up. Values, which are numbers and what stands
in quotes, are asked about at the first call that has any.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ninefold.analysis.episodes import Call, Episode
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Choice, Question
from ninefold.analysis.reading import Near
from ninefold.analysis.state import state_before

NEXT_ATTEMPT = "next attempt after a failed call"
FIRST_VALUE = "first call with a number or a quotation"


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


def about_values(population: Sequence[Episode], knowledge: Knowledge) -> Iterator[Question]:
    """At the first call that has a number or a quotation, and that something follows."""
    choices, known = [], Near(knowledge.language)
    errors: Counter[str] = Counter()
    for episode in population:
        i = next((i for i, c in enumerate(episode.calls) if c.figure is not None), None)
        if i is not None:
            choices.append(_valued(episode, i, knowledge, known))
            errors[episode.calls[i].error or ""] += 1
    yield Question("HallucinationTrigger", FIRST_VALUE, choices, [e for e, _ in errors.most_common(6) if e])


def _choice(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    call = episode.calls[i]
    invented = [name for name in call.bare if name not in knowledge.language]
    state = state_before(episode.calls[:i], knowledge)
    shows = bool(invented) and call.error is not None
    return Choice(episode, call, state, not invented, shows, tuple(invented))


def _valued(episode: Episode, i: int, knowledge: Knowledge, known: Near) -> Choice:
    call = episode.calls[i]
    invented = unsupported_values(call, known)
    state = state_before(episode.calls[:i], knowledge)
    return Choice(episode, call, state, not invented, bool(invented), invented)


def unsupported_values(call: Call, language: Near) -> tuple[str, ...]:
    """What kinds of values of a call nothing accounts for: `a number`, `a quotation`. Never the values themselves.

    A quotation is supported when all its words are, by the trace or by the tool's language.
    """
    invented = ["a number"] if call.figure else []
    if any(not language.has(word) for word in call.quoted):
        invented.append("a quotation")
    return tuple(invented)
