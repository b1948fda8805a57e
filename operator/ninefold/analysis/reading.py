"""Calls read word by word, once: when the slice is read that they stand in.

All that facts, decisions and cues need of a text hangs on its own trace alone: the names that a call uses, what its
result shows, and what it brings in that neither messages nor earlier results support. So it is found here, and a part
holds it in the place of the text; a later cycle puts it together and never reads a text again. What hangs on all
traces (which words are signatures, which are the tool's language) is decided then, from what is kept.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from ninefold.analysis.actions import frame
from ninefold.analysis.uncollected import uncollected
from ninefold.analysis.words import identifiers, loads, numbers, one_word, quotations, readable, values, words

SHOWN = pa.struct([("path", pa.string()), ("surface", pa.string()), ("place", pa.int32())])
"""A value of a result that could be a name: where it stands, as it is written, and as the how manieth."""
CUE = pa.struct([("name", pa.string()), ("value", pa.string())])
"""A short word or a flag in a result, with the name of its field; the words of a text have none."""
CALLS = pa.schema(
    [
        ("tool", pa.string()),
        ("frame", pa.string()),  # what its signature is made of
        ("source", pa.string()),  # its arguments as a person reads them
        ("error", pa.string()),  # signature; null: it went well
        ("used", pa.list_(pa.string())),  # identifiers, where it went well
        ("bare", pa.list_(pa.string())),  # identifiers that nothing before supports
        ("figure", pa.bool_()),  # names a number that nothing supports; null but for the first call with a value
        ("quoted", pa.list_(pa.string())),  # words of its quotations that nothing supports; empty but for that call
        ("shown", pa.list_(SHOWN)),  # where it went well
        ("cues", pa.list_(CUE)),  # where it went well
    ]
)
LONGEST_PATH = 64


@dataclass(frozen=True)
class Told:
    """Words and numbers of what a trace was told."""

    words: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


class _Said(NamedTuple):
    """What a call's arguments say, whoever makes it."""

    frame: str
    source: str
    used: tuple[str, ...]
    names: frozenset[str]  # the same
    numbers: frozenset[str]
    quoted: frozenset[str] | None  # words in quotations; None: nothing is quoted


@dataclass
class _Lists:
    """A column of lists in the making."""

    flat: list[Any] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0])

    def add(self, items: Sequence[Any]) -> None:
        if items:
            self.flat += items
        self.ends.append(len(self.flat))

    def array(self, type_: pa.DataType) -> pa.ListArray:
        inner = type_.value_type
        if pa.types.is_struct(inner):
            columns = list(zip(*self.flat, strict=True)) or [()] * inner.num_fields
            arrays = [pa.array(c, inner.field(i).type) for i, c in enumerate(columns)]
            made = pa.StructArray.from_arrays(arrays, fields=list(inner))
        else:
            made = pa.array(self.flat, inner)
        return pa.ListArray.from_arrays(pa.array(self.ends, pa.int32()), made, type=type_)


@uncollected()
def read(calls: pa.Table, traces: Sequence[int], told: Sequence[Told]) -> pa.Table:
    """Calls (columns tool, args, result and error) as columns CALLS. `traces`: for each call the place of its trace in

    `told`, ascending; calls of a trace stand in their order.
    """
    columns = [calls[c].to_pylist() for c in ("tool", "args", "result", "error")]
    known: dict[tuple[str, str], _Said] = {}
    frames, sources, figures = list[str](), list[str](), list[bool | None]()
    used, bare, quoted, shown, cues = _Lists(), _Lists(), _Lists(), _Lists(), _Lists()
    trace, before = -1, _Before(Told())
    for at, tool, args, result, error in zip(traces, *columns, strict=True):
        if at != trace:
            trace, before = at, _Before(told[at])
        said = known.get((tool, args))
        if said is None:
            said = known[tool, args] = _said(tool, args)
        frames.append(said.frame)
        sources.append(said.source)
        used.add(said.used if error is None else ())
        bare.add(sorted(before.bare(said.names)))
        strange = before.strange(said)
        figures.append(strange and strange[0])
        quoted.add(strange[1] if strange else ())
        shown.add(_shown(result) if error is None else ())
        cues.add(_cues(result, shown.flat[shown.ends[-2] :]) if error is None else ())
        if error is None:
            before.results.append(result)
    lists = {"used": used, "bare": bare, "quoted": quoted, "shown": shown, "cues": cues}
    made = {name: own.array(CALLS.field(name).type) for name, own in lists.items()}
    made |= {"tool": calls["tool"], "error": calls["error"], "figure": pa.array(figures, pa.bool_())}
    made |= {"frame": pa.array(frames, pa.string()), "source": pa.array(sources, pa.string())}
    return pa.table({name: made[name] for name in CALLS.names}, schema=CALLS)


def _said(tool: str, args: str) -> _Said:
    quotes = quotations(args)
    inside = frozenset(w for q in quotes for w in words(q)) if quotes else None
    names = frozenset(identifiers(args))
    return _Said(frame(args), readable(tool, args), tuple(sorted(names)), names, frozenset(numbers(args)), inside)


class _Before:
    """What a trace holds before a call. Results are read when something hangs on them, each once."""

    def __init__(self, told: Told) -> None:
        self.results: list[str] = []
        self._told = told
        self._words: set[str] = set()
        self._numbers: set[str] = set()
        self._read = [0, 0]
        self._valued = False

    def bare(self, names: frozenset[str]) -> frozenset[str]:
        """The names that nothing accounts for."""
        rest = names - self._told.words
        return rest - self._shown_words() if rest else rest

    def strange(self, said: _Said) -> tuple[bool, list[str]] | None:
        """Of the first call with values: whether it names a number, and the words in quotes, that nothing accounts for.

        How words are inflected or spelt out does not matter here, so words that only extend a known one, or are
        extended by it, are known.
        """
        if self._valued or (said.quoted is None and not said.numbers):
            return None
        self._valued = True
        figures = said.numbers - self._told.numbers
        rest = set[str]()
        if said.quoted and (rest := set(said.quoted) - self._told.words):
            near = Near(self._told.words | self._shown_words())
            rest = {w for w in rest if not near.has(w)}
        return bool(figures and figures - self._shown_numbers()), sorted(rest)

    def _shown_words(self) -> set[str]:
        for result in self.results[self._read[0] :]:
            self._words |= words(result)
        self._read[0] = len(self.results)
        return self._words

    def _shown_numbers(self) -> set[str]:
        for result in self.results[self._read[1] :]:
            self._numbers |= numbers(result)
        self._read[1] = len(self.results)
        return self._numbers


class Near:
    """Known words, and those that extend one or are extended by one."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._ordered = sorted(self._known)

    def has(self, word: str) -> bool:
        """Whether a word, its stem, or a known word of four letters or more that it begins with, is known."""
        if word in self._known:
            return True
        stem = word[: max(3, len(word) - 3)]
        at = bisect_left(self._ordered, stem)
        if at < len(self._ordered) and self._ordered[at].startswith(stem):
            return True
        return any(word[:size] in self._known for size in range(4, len(word)))


def _shown(result: str) -> list[tuple[str, str, int]]:
    places: dict[tuple[str, str], int] = {}
    for place, leaf in enumerate(values(result)):
        if leaf not in places and one_word(leaf[1]):
            places[leaf] = place
    return [(path, surface, place) for (path, surface), place in places.items()]


def _cues(result: str, shown: Sequence[tuple[str, str, int]]) -> list[tuple[str, str]]:
    """(field, value) of a result: short single words, and flags."""
    found: dict[tuple[str, str], None] = {}
    for path, value, _ in shown:
        name = "" if path == "text" else path.rpartition(".")[2]
        if len(name) <= LONGEST_PATH and not path.endswith("{}"):
            found[name, value] = None
    if "true" in result or "false" in result:
        found.update(dict.fromkeys(_flags(result)))
    return list(found)


def _flags(result: str) -> list[tuple[str, str]]:
    try:
        parsed = loads(result)
    except (ValueError, RecursionError):
        return []
    if not isinstance(parsed, dict):
        return []
    return [(name, str(value).lower()) for name, value in parsed.items() if isinstance(value, bool)]
