"""Groundedness: does the answer name anything that the agent was not shown?

Looked at are identifiers (`wh_north`, `orders.total`), numbers of two digits or more, and quotations: what an answer
invents is nearly always one of these, and each can be looked up in a text without understanding it.
"""

import re
from collections.abc import Sequence

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_QUOTE = re.compile(r"\"([^\"]{3,})\"|“([^”]{3,})”|`([^`]{3,})`")
_IDENTIFIER = re.compile(r"\b[A-Za-z]\w*(?:[_.-]\w+)+\b")


def unsupported(answer: str, support: Sequence[str]) -> set[str]:
    """Identifiers, numbers (of two digits or more) and quotations of an answer that no supporting text holds."""
    text = plain("\n".join(support))
    quotes = {next(filter(None, match)) for match in _QUOTE.findall(answer)}
    numbers = {n for n in NUMBER.findall(answer) if len(re.sub(r"\D", "", n)) > 1}
    known = {number(n) for n in NUMBER.findall(text)}
    claimed = {*quotes, *_IDENTIFIER.findall(answer)}
    lost = {one for one in claimed if plain(one) not in text}
    return lost | {n for n in numbers if number(n) not in known}


def number(text: str) -> float:
    """`1,200.5` as a number."""
    return float(text.replace(",", ""))


def plain(text: str) -> str:
    """Lower case, single blanks."""
    return " ".join(text.lower().split())
