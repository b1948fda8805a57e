"""JSON that was cut: an attribute limit ends a text in the middle, and what stands before the cut is still true."""

import json
import re
from typing import Any

_TRIES = 64
"""Commas before the cut at which closing is tried: a cut inside a key, a number or an escape needs a step back."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|"(?:[^"\\]|\\.)*\\?\Z|[][{},]', re.S)
"""A whole string, a string that the end cuts, a bracket or a comma."""
_CLOSER = {"[": "]", "{": "}"}


def mended(text: str) -> Any:
    """The value that a cut JSON text begins with. Raises ValueError where there is none."""
    open_brackets: list[str] = []
    commas: list[tuple[int, str]] = []
    cut_string = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSER:
            open_brackets.append(_CLOSER[mark])
        elif mark in ("]", "}"):
            if not open_brackets or open_brackets.pop() != mark:
                raise ValueError("the brackets do not match")
        elif mark == ",":
            commas.append((token.start(), "".join(reversed(open_brackets))))
        else:
            cut_string = token.end() == len(text) and (len(mark) == 1 or not _is_whole(mark))
    if not open_brackets:
        raise ValueError("the text is not cut, it is wrong")
    tail = "".join(reversed(open_brackets))
    attempts = [text + ('"' if cut_string else "") + tail]
    attempts += [text[:place] + closers for place, closers in reversed(commas[-_TRIES:])]
    for attempt in attempts:
        try:
            return json.loads(attempt)
        except ValueError:
            continue
    raise ValueError("nothing can be read before the cut")


def _is_whole(string: str) -> bool:
    backslashes = len(string) - 1 - len(string[:-1].rstrip("\\"))
    return string.endswith('"') and backslashes % 2 == 0
