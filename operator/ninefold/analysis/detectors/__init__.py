"""Detectors: each looks at the episodes for one way of failing and asks questions about it. They decide nothing."""

from collections.abc import Callable, Iterator, Sequence

from ninefold.analysis.detectors import context_gap, error_loop, hallucination
from ninefold.analysis.episodes import Episode
from ninefold.analysis.facts import Knowledge
from ninefold.analysis.questions import Question

DETECTORS: tuple[Callable[[Sequence[Episode], Knowledge], Iterator[Question]], ...] = (
    context_gap.questions,
    hallucination.questions,
    error_loop.questions,
    hallucination.about_values,
)
