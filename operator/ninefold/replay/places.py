"""Where in a recorded course a pattern's decision stands, and which choice a call is. Pure.

A pattern names its decision in the words of analysis: a point (`first call`, `after error <signature>`,
`after book(…)`, `before confirm(…)`) and two choices as action signatures. Here the same words are found in the
recorded calls of one case. What cannot be found is no place, and what is neither of the two choices is unknown: a step
says nothing there, and nobody is thrown out for it.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from ninefold.api.cases import RecordedCall
from ninefold.api.findings import Decision
from ninefold.replay.recorded import tool_of

ERROR, TWICE = "after error ", " twice in a row"
_WORD = re.compile(r"[^\W\d_]{3,}")
_LEAD = re.compile(r"\w+")
_SHOWN = re.compile(r"(\w+)=(\w+)(?: …)?(?=, |\)$)")
"""An argument of a signature whose leading word is shown; `…`, `<n>` and the like show none."""


def place(decision: Decision, calls: Sequence[RecordedCall]) -> int | None:
    """How many recorded calls stand before the decision; None where the case has no such place."""
    point = decision.point
    if point == "first call":
        return 0
    met: Iterable[int] = ()
    if point == "after the first failed call":
        met = (n for n, call in enumerate(calls, 1) if call.error)
    elif point.startswith(ERROR):
        met = _after_error(point.removeprefix(ERROR), calls)
    elif point.startswith("before "):
        either = [signature for signature in (point.removeprefix("before "), decision.better) if signature]
        met = (n for n, call in enumerate(calls) if any(is_action(one, call.tool, call.arguments) for one in either))
    elif point.startswith("after ") and " → " not in point:
        signature = point.removeprefix("after ")
        met = (n for n, call in enumerate(calls, 1) if is_action(signature, call.tool, call.arguments))
    return next(iter(met), None)


def _after_error(signature: str, calls: Sequence[RecordedCall]) -> Iterator[int]:
    """Places after a failed call whose result has all words of the signature, or after the second of two such."""
    words = set(_WORD.findall(signature.removesuffix(TWICE).lower()))
    run = 0
    for n, call in enumerate(calls, 1):
        run = run + 1 if call.error and words and words <= set(_WORD.findall(call.result.lower())) else 0
        if run >= (2 if signature.endswith(TWICE) else 1):
            yield n


def chose(decision: Decision, calls: Sequence[tuple[str, str]], brought: Collection[str] = ()) -> bool | None:
    """Whether the better choice was made, by the tool calls (tool, arguments) of one answer; None: neither of the two.

    A call of the losing kind that carries a value which an edit has brought in (`brought`) may be right by now: nobody
    has recorded what it gives, so it is unknown.
    """
    if decision.better and any(is_action(decision.better, *call) for call in calls):
        return True
    if not calls or not is_action(decision.taken, *calls[0]):
        return None
    return None if set(_words(calls[0][1])) & set(brought) else False


def is_action(signature: str, tool: str, arguments: str) -> bool:
    """Whether a call is of the kind that a signature describes: its tool, and the leading words that it shows."""
    if "(" not in signature or tool_of(signature) != tool:
        return False
    given = _arguments(arguments)
    for name, lead in _SHOWN.findall(signature):
        if lead in ("true", "false", "null"):
            continue
        found = _LEAD.search(str(given.get(name, "")))
        if found is None or found.group().lower() != lead.lower():
            return False
    return True


def _arguments(arguments: str) -> dict[str, object]:
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:[.-]\w+)*", text.lower())


def words_of(texts: Sequence[str]) -> set[str]:
    """The words that edits bring in, as `chose` compares them."""
    return {word for text in texts for word in _words(text)}
