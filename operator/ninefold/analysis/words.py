"""Words of calls and values of results, whatever language or format they are in.

Two readings of text are all that mining needs. A call's *words* are its identifiers: names that stand outside quotes,
for what is quoted is a value. A result's *values* are its leaves, each with the path at which it stands, so that "the
first field of every row" can be told from the others. Nothing here knows any language that a tool may speak.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

WORD = re.compile(r"[^\W\d]\w*")
MAX_VALUES = 2_000
"""Values of one result that are looked at; a result that lists more is data, not a description."""
MAX_WORD = 64
RECORD = re.compile(r"\d{3}|\b(?=[A-Z0-9]*\d[A-Z0-9]*\b)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{4,}\b")
"""Three digits in a row, or a code of capitals and digits: what keys of records look like."""
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"", re.S)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
_BLANKS = re.compile(r"\s+")
_CUTS = ("), ", "], ", "}, ", "),", "],", "},")


def loads(text: str) -> Any:
    """JSON by the quick reader; by the lenient one what that refuses. Numbers beyond 64 bits lose their last digits.

    Raises ValueError, or RecursionError for what is nested too deep.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


@lru_cache(maxsize=2**15)
def texts(args: str) -> tuple[tuple[str, str], ...]:
    """The string arguments of a call with their names; ("", args) when the arguments are no JSON object.

    The same arguments are read by several parties, and by many calls.
    """
    try:
        value = loads(args)
    except ValueError:
        return (("", args),)
    return tuple(_texts(value, "")) if isinstance(value, (dict, list)) else (("", str(value)),)


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, f"{name}[]")


def readable(tool: str, args: str) -> str:
    """A call as a person reads it: the text alone when there is one text, on one line, without a closing mark; and the
    tool's name when it was called with nothing."""
    if args.strip() in ("", "{}", "[]", "null"):
        return tool
    found = texts(args)
    try:
        alone = len(found) == 1 and len(loads(args)) == 1
    except (ValueError, TypeError):
        alone = len(found) == 1
    return _BLANKS.sub(" ", found[0][1] if alone else args).strip().rstrip(";.").rstrip()


def identifiers(args: str) -> set[str]:
    """Names in a call's arguments, outside quotes, in lower case."""
    out = set[str]()
    for _, text in texts(args):
        out |= words(_QUOTED.sub(" ", text) if "'" in text or '"' in text else text)
    return {w for w in out if len(w) <= MAX_WORD}


def quotations(args: str) -> set[str]:
    """What stands in quotes within the text arguments of a call, in lower case and without the quotes."""
    found = (q for _, text in texts(args) if "'" in text or '"' in text for q in _QUOTED.findall(text))
    return {q[1:-1].lower() for q in found if len(q) > 2}


def numbers(text: str) -> set[str]:
    """The numbers of a text that say something: three digits or more, or a decimal; without marks of thousands."""
    found = {n.replace(",", "") for n in _NUMBER.findall(text)}
    return {n for n in found if "." in n or len(n) >= 3}


def words(text: str) -> set[str]:
    """Every word of a text, in lower case."""
    if text.isascii():  # as long in lower case as it is
        return set(WORD.findall(text.lower()))
    return {w.lower() for w in WORD.findall(text)}


def one_word(value: str) -> bool:
    """Whether a value could be the name of something: one word of moderate length that is not the key of a record.

    No number, date, mail or phrase is one word; `order_48213` and `X7K2PQ` are keys of somebody's records.
    """
    plain = value.isascii() and value.isidentifier()
    if len(value) > MAX_WORD or not (plain or WORD.fullmatch(value)):
        return False
    return value.isalpha() or not RECORD.search(value)


def values(result: str) -> list[tuple[str, str]]:
    """(path, value) of the text leaves of a result that is JSON or a printed Python value; else its words at `text`.

    In a path `[*]` is any item of a list, `[2]` the third field of a row, `.key` a member, `{}` the keys themselves.
    A result that was cut at its end is read up to its last whole item.
    """
    parsed = _parse(result)
    if parsed is None:
        return [("text", w) for w in WORD.findall(result[:20_000])][:MAX_VALUES]
    out: list[tuple[str, str]] = []
    for leaf in _leaves(parsed, "", row=False):
        out.append(leaf)
        if len(out) >= MAX_VALUES:
            break
    return out


def _parse(result: str) -> Any:
    """The structure that a text prints, or None when it prints none."""
    text = result.strip()
    if text[:1] not in ("[", "{", "("):
        return None
    if (value := _read(text)) is not None:
        return value
    cut = max(text.rfind(c) for c in _CUTS)
    return _read(text[: cut + 1] + "]") if cut > 0 and text[0] == "[" else None


def _read(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _leaves(value: Any, path: str, *, row: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path + "{}", str(key)
            yield from _leaves(inner, f"{path}.{key}", row=False)
    elif isinstance(value, (list, tuple, set)):
        for i, inner in enumerate(value):
            # A list inside a list is a row, whose places mean different things.
            yield from _leaves(inner, f"{path}[{i}]" if row else path + "[*]", row=not row)
