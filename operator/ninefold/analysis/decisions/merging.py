"""Shards of coded traces put together: one lexicon, one numbering, one table of the engine.

What a symbol is called is decided here, over all shards: a leading word belongs to a signature when it leads an
argument in several distinct tasks, and when such words lead nearly all calls with that argument. Tasks are united as
sets and calls are summed, so shards may come in any order, and codes are given by frequency and name.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ninefold.analysis.actions import LEAD_TASKS
from ninefold.analysis.decisions.coding import Argument, Coded, Symbol, is_free
from ninefold.analysis.decisions.coding_statements import ANSWER, FIELD, PAIR, PART

LEADS_COVER = 0.8
"""Share of an argument's calls that its known words must lead, else it is free text too."""
MOST_CODES = 4_000
"""Symbols that are told apart; what is rarer shares one code."""
NONE, START = Symbol("", "", "", False), Symbol("", "start", "ok", False)
REST = Symbol("other", "other()", "ok", False)


@dataclass(frozen=True)
class Merged:
    """Sequences of all shards, one after the other; each opens with the code of the start. Symbols by code."""

    sequences: pa.ListArray
    symbols: list[Symbol]


def merge(shards: Sequence[Coded]) -> Merged:
    """One numbering for all shards."""
    words = lexicon(shards)
    named = [[read(raw, words) for raw in shard.symbols] for shard in shards]
    flats = [shard.sequences.flatten().to_numpy() for shard in shards]
    calls: Counter[Symbol] = Counter()
    for symbols, flat in zip(named, flats, strict=True):
        for symbol, n in zip(symbols, np.bincount(flat, minlength=len(symbols)).tolist(), strict=True):
            calls[symbol] += n
    ranked = sorted((s for s in calls if calls[s]), key=lambda s: (-calls[s], s.tool, s.action, s.outcome, s.bare))
    rest = [REST] if len(ranked) > MOST_CODES else []
    numbers = [NONE, START, *ranked[:MOST_CODES], *rest]
    codes = {symbol: code for code, symbol in enumerate(numbers)}
    last = len(numbers) - 1
    of = [np.array([codes.get(s, last) for s in symbols] or [0], np.uint16) for symbols in named]
    return Merged(_joined(shards, [o[f] for o, f in zip(of, flats, strict=True)]), numbers)


def lexicon(shards: Sequence[Coded]) -> set[tuple[str, str, str]]:
    """The words that belong to signatures, as (tool, argument, word)."""
    tasks: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
    calls: Counter[tuple[str, str, str]] = Counter()
    alone: set[tuple[str, str, str]] = set()
    free: set[Argument] = set()
    for shard in shards:
        free.update(shard.free)
        for r in shard.leads.to_pylist():
            word = r["tool"], r["name"], r["word"]
            tasks[word].update(r["tasks"])
            calls[word] += r["calls"]
            if r["alone"]:
                alone.add(word)
    own: defaultdict[Argument, list[tuple[str, str, str]]] = defaultdict(list)
    for word in calls:
        own[word[:2]].append(word)
    out: set[tuple[str, str, str]] = set()
    for argument, all_words in own.items():
        known = [w for w in all_words if w[2] and len(tasks[w]) >= LEAD_TASKS]
        if argument in free or is_free(len(known), sum(w in alone for w in all_words)):
            continue
        if sum(calls[w] for w in known) >= LEADS_COVER * sum(calls[w] for w in all_words):
            out.update(known)
    return out


def read(raw: str, words: set[tuple[str, str, str]]) -> Symbol:
    """A raw symbol as it is called under a lexicon."""
    tool, arguments, outcome, bare = raw.split(FIELD)
    if arguments == ANSWER:
        return Symbol(tool, "answer", outcome, bare == "1")
    shown = []
    for argument in arguments.split(PART) if arguments else []:
        name, _, value = argument.partition(PAIR)
        if value.startswith('"'):
            word = value[1:].removesuffix("+")
            value = "…" if (tool, name, word) not in words else f"{word} …" if value.endswith("+") else word
        shown.append(f"{name}={value}")
    return Symbol(tool, f"{tool}({', '.join(shown)})", outcome, bare == "1")


def _joined(shards: Sequence[Coded], codes: Sequence[NDArray[np.uint16]]) -> pa.ListArray:
    sizes = np.concatenate([np.zeros(0, np.int32), *(np.diff(s.sequences.offsets.to_numpy()) for s in shards)]) + 1
    offsets = np.concatenate((np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)))
    flat = np.ones(int(offsets[-1]), np.uint16)
    steps = np.ones(len(flat), bool)
    steps[offsets[:-1]] = False
    flat[steps] = np.concatenate([np.zeros(0, np.uint16), *codes])
    return pa.ListArray.from_arrays(offsets, flat)
