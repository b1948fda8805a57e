"""Action signatures: what kind of call a call is, with nothing in it that belongs to one case.

`search(query=find …)` is a tool, the names of its arguments, and the leading word of each text argument, for in many
languages of many tools the first word says what is done (a verb, a keyword, a mode). A leading word is shown only when
it leads that argument in several distinct tasks, and only for an argument whose texts nearly all open with such a
word: otherwise the texts are prose or names, and `…` stands for them. A text of one word is shown where the argument
has a few such values, as a mode has.

What one call gives to that is its `frame`; what it is called, `signatures` say over a population.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import orjson

from ninefold.analysis.ragged import Ints, places
from ninefold.analysis.words import WORD, loads, texts

LEAD_TASKS = 5
"""Distinct tasks in which a word must lead the same argument of the same tool to be part of a signature."""
LEADS_COVER = 0.9
"""Share of an argument's texts that such words must lead."""
MODES = 6
"""Values that an argument of single words may have to be a mode rather than a name."""
MASK = "…"

Argument = tuple[str, str]


def frame(args: str) -> str:
    """What a call's arguments may give to a signature, as JSON.

    First the leading words of all texts in them, each as [name, word, whether it is all]; then the arguments
    themselves, each as such a triple or as [name, shape]. What is no object has no name.
    """
    leads = [[name, *_lead(text)] for name, text in texts(args)]
    try:
        value = loads(args) if args else {}
    except ValueError:
        value = args
    if not isinstance(value, dict):
        shown: list[list[object]] = [[None, *_lead(str(value))]]
    else:
        items = sorted((str(name), item) for name, item in value.items())
        shown = [[name, *_lead(item)] if isinstance(item, str) else [name, _shape(item)] for name, item in items]
    return orjson.dumps([leads, shown]).decode()


def signatures(kinds: Sequence[tuple[str, str]], of: Ints, tasks: Ints) -> list[str]:
    """The signature of each kind of call (tool and frame), such as `search(limit=<n>, query=find …)`.

    `of` is the kind of every call of the population, `tasks` its task, as small numbers.
    """
    read = [orjson.loads(own) for _, own in kinds]
    numbers: dict[tuple[str, str, str], int] = {}
    alone: defaultdict[Argument, set[str]] = defaultdict(set)
    flat = []
    for (tool, _), (leads, _) in zip(kinds, read, strict=True):
        for name, word, whole in leads:
            flat.append(numbers.setdefault((tool, name, word), len(numbers)))
            if whole:
                alone[tool, name].add(word)
    sizes = np.array([len(leads) for leads, _ in read], np.int64)
    calls, distinct = _counts(np.array(flat, np.int64), sizes, of, tasks, len(numbers))
    own: defaultdict[Argument, list[tuple[str, int, int]]] = defaultdict(list)
    for (tool, name, word), lead in numbers.items():
        own[tool, name].append((word, calls[lead], distinct[lead]))
    known: dict[Argument, set[str]] = {}
    for argument, words in own.items():
        frequent = {word: n for word, n, spread in words if word and spread >= LEAD_TASKS}
        if sum(frequent.values()) >= LEADS_COVER * sum(n for _, n, _ in words) and len(alone[argument]) <= MODES:
            known[argument] = set(frequent)
    return [
        f"{tool}({', '.join(_shown(tool, shown, known))})" for (tool, _), (_, shown) in zip(kinds, read, strict=True)
    ]


def _counts(flat: Ints, sizes: Ints, of: Ints, tasks: Ints, leads: int) -> tuple[list[int], list[int]]:
    """How many texts each word leads, and in how many distinct tasks. `flat`: the leads of the kinds, one after the

    other.
    """
    texts = np.bincount(flat, np.repeat(np.bincount(of, minlength=len(sizes)), sizes), leads).astype(int)
    width = int(tasks.max(initial=0)) + 1
    kind, task = np.divmod(np.unique(of * width + tasks), width)
    pairs = np.unique(flat[places(sizes, kind)] * width + np.repeat(task, sizes[kind]))
    return texts.tolist(), np.bincount(pairs // width, minlength=leads).tolist()


def _shown(tool: str, arguments: list[list[object]], known: dict[Argument, set[str]]) -> list[str]:
    out = []
    for name, *said in arguments:
        if len(said) == 1:
            out.append(f"{name}={said[0]}")
            continue
        word, whole = said
        text = MASK if word not in known.get((tool, str(name or "")), ()) else str(word) if whole else f"{word} {MASK}"
        out.append(text if name is None else f"{name}={text}")
    return out


def _lead(text: str) -> tuple[str, bool]:
    """The first word of a text, and whether it is all there is."""
    found = WORD.search(text[:200])
    word = found.group().lower() if found else ""
    return word, word == text.strip().lower()


def _shape(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return "<n>"
    return "{}" if isinstance(value, dict) else "[]" if isinstance(value, list) else "null"
