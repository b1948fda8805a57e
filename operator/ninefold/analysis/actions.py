"""Action signatures: what kind of call a call is, with nothing in it that belongs to one case.

`search(query=find …)` is a tool, the names of its arguments, and the leading word of each text argument, for in many
languages of many tools the first word says what is done (a verb, a keyword, a mode). A leading word is shown only when
it leads that argument in several distinct tasks, and only for an argument whose texts nearly all open with such a
word: otherwise the texts are prose or names, and `…` stands for them. A text of one word is shown where the argument
has a few such values, as a mode has.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ninefold.analysis.words import WORD, loads, texts

LEAD_TASKS = 5
"""Distinct tasks in which a word must lead the same argument of the same tool to be part of a signature."""
LEADS_COVER = 0.9
"""Share of an argument's texts that such words must lead."""
MODES = 6
"""Values that an argument of single words may have to be a mode rather than a name."""
MASK = "…"

Argument = tuple[str, str]


class Actions:
    """Signatures over one population of calls, given as (task, tool, arguments)."""

    def __init__(self, calls: Iterable[tuple[str, str, str]]) -> None:
        tasks: defaultdict[tuple[Argument, str], set[str]] = defaultdict(set)
        opened: defaultdict[Argument, Counter[str]] = defaultdict(Counter)
        alone: defaultdict[Argument, set[str]] = defaultdict(set)
        for task, tool, args in calls:
            for name, text in texts(args):
                argument, word = (tool, name), _lead(text)
                tasks[argument, word].add(task)
                opened[argument][word] += 1
                if word == text.strip().lower():
                    alone[argument].add(word)
        self._leads: dict[Argument, set[str]] = {}
        for argument, counts in opened.items():
            frequent = {w for w in counts if w and len(tasks[argument, w]) >= LEAD_TASKS}
            if sum(counts[w] for w in frequent) >= LEADS_COVER * counts.total() and len(alone[argument]) <= MODES:
                self._leads[argument] = frequent
        self._known: dict[tuple[str, str], str] = {}

    def signature(self, tool: str, args: str) -> str:
        """Such as `search(limit=<n>, query=find …)`."""
        key = (tool, args)
        if key not in self._known:
            self._known[key] = f"{tool}({', '.join(self._arguments(tool, args))})"
        return self._known[key]

    def _arguments(self, tool: str, args: str) -> list[str]:
        try:
            value = loads(args) if args else {}
        except ValueError:
            value = args
        if not isinstance(value, dict):
            return [self._text(tool, "", str(value))]
        out = []
        for name, item in sorted(value.items()):
            shape = self._text(tool, str(name), item) if isinstance(item, str) else _shape(item)
            out.append(f"{name}={shape}")
        return out

    def _text(self, tool: str, name: str, text: str) -> str:
        word = _lead(text)
        if word not in self._leads.get((tool, name), ()):
            return MASK
        return word if word == text.strip().lower() else f"{word} {MASK}"


def _lead(text: str) -> str:
    found = WORD.search(text[:200])
    return found.group().lower() if found else ""


def _shape(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return "<n>"
    return "{}" if isinstance(value, dict) else "[]" if isinstance(value, list) else "null"
