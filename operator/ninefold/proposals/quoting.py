"""Trace text in a prompt: names only.

What a trace holds was written by users, models and tools, and anybody may have put an instruction there. So a prompt
gets from it only words that are shaped like identifiers, few of them, and short; never a quote, a brace, a link or a
sentence.
"""

import json
import re
from typing import Any

from ninefold.proposals.sensitive import found

_IDENTIFIER = re.compile(r"[^\W\d][\w$]*(?:[.:/-][\w$]+)*")
_WORD = re.compile(r"[^\W\d][\w$]*(?:[.-][\w$]+)*")
MAX_NAME = 64
MAX_QUOTE = 40
_ELLIPSIS = "…"


def is_identifier(text: str) -> bool:
    """True for one word that names a thing (`customer_id`, `orders.total`), at most 64 characters, and that is none
    of the shapes in `sensitive`."""
    return len(text) <= MAX_NAME and _IDENTIFIER.fullmatch(text) is not None and not any(found(text))


def plain_words(arguments: str) -> list[str]:
    """The words of a recorded call's arguments, in order; of a JSON document those of its values."""
    return _WORD.findall(_flat(arguments))


def names(arguments: str, limit: int = MAX_QUOTE) -> str:
    """The identifier-shaped words of a recorded call's arguments, in order, up to `limit` characters."""
    kept: list[str] = []
    for word in plain_words(arguments):
        if not is_identifier(word):
            continue
        if len(" ".join([*kept, word])) > limit:
            break
        kept.append(word)
    return " ".join(kept)


def action_shape(example: str, signature: str) -> str:
    """A short form of a recorded call that shows what kind of call it is, and none of its particulars.

    Words of the example that its signature (which stands for many calls of many tasks) has as well are kept, and the
    first word; runs of others become one `…`: `DESC customers` of the signature `desc <name>` is `DESC …`.
    """
    general = {word.lower() for word in _WORD.findall(signature)}
    kept: list[str] = []
    for place, word in enumerate(plain_words(example)):
        shown = word if is_identifier(word) and (place == 0 or word.lower() in general) else _ELLIPSIS
        if shown == _ELLIPSIS and kept[-1:] == [_ELLIPSIS]:
            continue
        if len(" ".join([*kept, shown])) > MAX_QUOTE - 2:
            if kept[-1:] != [_ELLIPSIS]:
                kept.append(_ELLIPSIS)
            break
        kept.append(shown)
    return " ".join(kept)


def tool_of(signature: str | None) -> str | None:
    """The tool of an action signature (`list_rooms` of `list_rooms(limit=<n>)`), if its name is shaped like one."""
    name = (signature or "").partition("(")[0].strip()
    return name if signature and "(" in signature and is_identifier(name) else None


def _flat(arguments: str) -> str:
    """Arguments as plain text: the values of a JSON document in order, else the text itself."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments
    return " ".join(_leaves(value))


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [str(value)] if isinstance(value, (str, int, float)) else []
