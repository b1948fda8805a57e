"""What a run names that nothing had shown it: in its calls, each by what was known by then, and in its answer.

Support is the case's input, the prompts of this very arm, and results of earlier calls that went well. Looked for are
identifiers, numbers of two digits or more, quotations, and one-word arguments with a digit in them, such as the number
of an order. The parts of `a.b` are looked for one by one, for `a` may be an alias that the call itself defines. The
count is a figure to compare two arms by and no verdict on one of them: what a tool's own language holds is in both.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ninefold.graders.grounding import unsupported

LONGEST = 100_000
"""Characters of one text that are read."""
_DOT = re.compile(r"(?<=\w)\.(?=[A-Za-z_])")


@dataclass(frozen=True)
class Called:
    """One call: its arguments, as JSON values or as the text of one, and its result; None where it failed."""

    arguments: Any
    result: str | None


def invented(output: str | None, calls: Sequence[Called], told: Sequence[str]) -> int | None:
    """How many names, numbers and quotations had no support when they were used; None when nothing was said.

    `told`: the texts that the agent had from the start.
    """
    if output is None and not calls:
        return None
    known, found = [text[:LONGEST] for text in told], set[str]()
    for call in calls:
        found |= unsupported("\n".join(map(_claim, _leaves(call.arguments)))[:LONGEST], known)
        if call.result is not None:
            known.append(call.result[:LONGEST])
    found |= unsupported((output or "")[:LONGEST], known)
    # The digits of a code that is no number are found once more as a number.
    return sum(not any(one != other and one in other for other in found) for one in found)


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in a JSON value, or in the text of one."""
    if isinstance(value, str):
        inner = _parsed(value)
        if inner is None:
            yield value
        else:
            yield from _leaves(inner)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _parsed(text: str) -> Any:
    """The object or array that a text is; None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _claim(leaf: str) -> str:
    one_word = not re.search(r"[\s`]", leaf) and re.search(r"[A-Za-z]", leaf) and re.search(r"\d", leaf)
    return f"`{leaf}`" if one_word else _DOT.sub(" ", leaf)
