"""HallucinationTrigger: a call names things that nothing before it supports, and fails.

Support is what the trace itself holds: system and user messages, and results of earlier calls that went well. Words
of the tool's own language need none.

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
from ninefold.analysis.state import state_before
from ninefold.analysis.words import identifiers, numbers, quotations, words

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
    choices = []
    errors: Counter[str] = Counter()
    for episode in population:
        i = next((i for i, c in enumerate(episode.calls) if quotations(c.args) or numbers(c.args)), None)
        if i is not None:
            choices.append(_valued(episode, i, knowledge))
            errors[episode.calls[i].error or ""] += 1
    yield Question("HallucinationTrigger", FIRST_VALUE, choices, [e for e, _ in errors.most_common(6) if e])


def _choice(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    call = episode.calls[i]
    invented = unsupported(call, episode.calls[:i], episode.told, knowledge.language)
    state = state_before(episode.calls[:i], knowledge)
    shows = bool(invented) and call.error is not None
    return Choice(episode, call, state, not invented, shows, tuple(sorted(invented)))


def _valued(episode: Episode, i: int, knowledge: Knowledge) -> Choice:
    call = episode.calls[i]
    invented = unsupported_values(call, episode.calls[:i], episode, knowledge.language)
    state = state_before(episode.calls[:i], knowledge)
    return Choice(episode, call, state, not invented, bool(invented), tuple(sorted(invented)))


def unsupported(call: Call, before: Sequence[Call], told: frozenset[str], language: frozenset[str]) -> set[str]:
    """Identifiers of a call that neither the messages nor earlier results nor the tool's language account for."""
    rest = identifiers(call.args) - told - language
    for earlier in before:
        if rest and earlier.error is None:
            rest -= words(earlier.result)
    return rest


def unsupported_values(call: Call, before: Sequence[Call], episode: Episode, language: frozenset[str]) -> set[str]:
    """What kinds of values of a call nothing accounts for: `a number`, `a quotation`. Never the values themselves.

    A quotation is supported when all its words are; how they are inflected or spelt out does not matter here, so words
    that only extend a known one, or are extended by it, are known.
    """
    figures, quoted = numbers(call.args), quotations(call.args)
    known_numbers, known = set(episode.numbers), set(episode.told | language)
    for earlier in before:
        if earlier.error is None:
            known_numbers |= numbers(earlier.result)
            known |= words(earlier.result)
    out = {"a number"} if figures - known_numbers else set()
    if any(not _supported(word, known) for quotation in quoted for word in words(quotation)):
        out.add("a quotation")
    return out


def _supported(word: str, known: set[str]) -> bool:
    stem = word[: max(3, len(word) - 3)]
    return word in known or any(k.startswith(stem) or (len(k) > 3 and word.startswith(k)) for k in known)
