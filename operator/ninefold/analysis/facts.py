"""Facts: names that successful traces got from a source and that failing ones lacked.

A call that went well is no proof of truth, and results carry users' data. What tells a source of facts apart is what
happens next: a result that describes the world (what exists, what it is called) is named again in later calls, a
result that answers the question is not. So:

1. A *source* is an action and a path in its results whose values are named, outside quotes, in later calls that went
   well, far more often than the results of the action that traces usually end with, in enough distinct tasks.
2. A source is *shared* when nearly every value that one user was shown was also shown to another user of the same
   intent. What a customer's look-up shows is his alone, so its path is not shared, however often it is named again.
   No question with a quotation, an address or the key of a record in it is a source.
3. A value at a shared source is a fact when two users saw it; or when only one ever asked this very question, so that
   it had no chance to be seen again, and the question is made of words of the tool's language, of facts, or of
   several users' messages. Where traces name no users, a task stands for one.
4. A name that several tasks used in calls that went well in *successful* traces is a fact without a source, when it
   belongs to few intents (else it is a word of the tool's language).
5. What a source shows alike in several intents says nothing of any of them, and is left out.
6. A name that many tasks of this intent used without ever succeeding, while others succeeded, is dropped: that a call
   went well does not make it right.

Facts are kept per intent, since what exists in one place does not in another.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from ninefold.analysis import queries
from ninefold.analysis.engine import Row
from ninefold.analysis.population import Loaded, table
from ninefold.analysis.stats.wilson import wilson
from ninefold.analysis.words import RECORD, WORD, words
from ninefold.api.findings import Fact

SOURCE_TASKS = 10
"""Distinct tasks in which a source's results must have been named again."""
FAR_MORE = 3.0
"""Times the reuse of a usual final action's results that the lower bound of a source's reuse must reach."""
LEAST_REUSE = 0.02
"""Taken for the final action's reuse where that is lower: chance repeats happen."""
SHARED = 0.7
"""Share of (user, value) pairs that another user of the intent saw too, from which a path is shared."""
OWN_TASKS = 3
"""Distinct successful tasks, and users, that must have used a name which no source showed."""
FEW_INTENTS = 0.15
"""Share of intents above which an unsourced name is a word of the tool's language."""
NEVER_SOLVED_TASKS = 10
NEVER_SOLVED = 0.001
"""A name is dropped when at least so many tasks used it in calls that went well, and by chance, at the intent's own
success rate, all would fail less often than this. Strict, for what it names may be true and its tasks just hard."""
SAME = 0.9
"""Share of what a source showed to several intents that all of them saw, from which it says nothing of an intent."""
MAX_CHARACTERS = 10_000
"""Of one intent's facts as text, about 2,500 tokens: a prompt must have room for more. The best supported stay."""

_PERSONAL = re.compile(r"['\"@]")
_SOURCES = pa.schema([("action", pa.uint32()), ("path", pa.uint32())])


@dataclass(frozen=True)
class Knowledge:
    """What a population of traces knows. `informing` are actions that describe the world rather than act on it;

    `language` are words that calls need whatever the case is about. `cover` is by intent the share of successful traces
    whose last call needed no name but those that facts, which another task supports too, would have told.
    """

    facts: list[Fact]
    informing: frozenset[str]
    language: frozenset[str]
    cover: Mapping[str, float] = field(default_factory=dict)


def mine(loaded: Loaded, intent_key: str | None) -> Knowledge:
    """Facts, informing actions and the tool's language from the loaded population."""
    loaded.engine.derive("results", queries.RESULTS)
    sources, informing = _sources(loaded)
    numbers = ((loaded.number("action", action), loaded.number("path", path)) for action, path in sources)
    loaded.engine.load("sources", table(_SOURCES, numbers))
    sightings = _by_intent(loaded.query(queries.SIGHTINGS) if sources else [])
    general = _same_everywhere(sightings)
    by_word = loaded.query(queries.WORDS)
    intents = {str(r["intent"]): r for r in loaded.query(queries.INTENTS)}
    names = {str(r["word"]) for own in sightings.values() for r in own}
    language = _language(by_word, names, intents)
    dropped = _never_solved(by_word, intents)
    shared = _shared(loaded)
    asked: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in loaded.query(queries.ASKED) if sources else []:
        asked[row["intent"]][row["source"]] = row["users"]
    told: defaultdict[str, set[str]] = defaultdict(set)
    for row in loaded.query(queries.COMMONLY_TOLD):
        told[row["intent"]].add(row["word"])
    spread, used = Counter(row["word"] for row in by_word), _by_intent(by_word)
    few = max(1.0, FEW_INTENTS * len(intents))
    facts: list[Fact] = []
    shown: dict[str, set[str]] = {}
    for intent in sorted(intents):
        if intent_key and not intent:
            continue
        own = [r for r in sightings[intent] if (intent, r["word"]) not in dropped]
        own = [r for r in own if (r["action"], r["path"]) in shared and r["source"].lower() not in general]
        kept = _told_by_known(own, asked[intent], language, told[intent])
        when = {intent_key: intent} if intent_key else {}
        found = list(_by_source(kept, when, language))
        if intent_key:
            known = names | language | {w for f in found for w in words(f.source)}
            found += _unsourced([r for r in used[intent] if spread[r["word"]] <= few], when, known)
        found = _within(found)
        alone = _of_one_task(own)
        shown[intent] = {w for f in found for token in f.tokens if (w := token.lower()) not in alone}
        facts += found
    return Knowledge(facts, frozenset(informing), frozenset(language), _cover(loaded, shown, language))


def _of_one_task(rows: list[Row]) -> set[str]:
    """Names that one task alone has seen: to it they were no help, for it had to find them."""
    most: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        most[row["word"]] = max(most[row["word"]], row["tasks"])
    return {word for word, tasks in most.items() if tasks < 2}


def _cover(loaded: Loaded, shown: Mapping[str, set[str]], language: set[str]) -> dict[str, float]:
    traces: defaultdict[str, dict[int, bool]] = defaultdict(dict)
    for row in loaded.query(queries.NEEDED) if any(shown.values()) else []:
        known = row["word"] in language or row["word"] in shown.get(row["intent"], ())
        own = traces[row["intent"]]
        own[row["trace"]] = own.get(row["trace"], True) and known
    return {intent: sum(own.values()) / len(own) for intent, own in traces.items()}


def _by_intent(rows: list[Row]) -> defaultdict[str, list[Row]]:
    out: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        out[row["intent"]].append(row)
    return out


def _sources(loaded: Loaded) -> tuple[list[tuple[str, str]], set[str]]:
    """Paths that are sources, and the actions most of whose results inform."""
    reuse = loaded.query(queries.REUSE)
    endings = {str(r["action"]): r for r in loaded.query(queries.ENDINGS)}
    if not endings:
        return [], set()
    final = max(endings, key=lambda a: (endings[a]["last"], a))
    results: defaultdict[str, int] = defaultdict(int)
    for row in reuse:
        results[row["action"]] = max(results[row["action"]], row["reused"])
    baseline = max(LEAST_REUSE, wilson(results[final], endings[final]["ok_calls"])[1])
    sources, informing = [], set()
    for row in reuse:
        action = row["action"]
        enough = row["tasks"] >= SOURCE_TASKS
        if action != final and enough and wilson(row["reused"], row["results"])[0] >= FAR_MORE * baseline:
            sources.append((action, row["path"]))
            # An action whose path is read again only where it happens to occur acts more than it informs.
            if wilson(row["reused"], endings[action]["ok_calls"])[0] >= FAR_MORE * baseline:
                informing.add(action)
    return sources, informing


def _same_everywhere(sightings: dict[str, list[Row]]) -> set[str]:
    """Questions to a source that several intents asked and that all of them got the same answer to."""
    answers: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for intent, own in sightings.items():
        for row in own:
            answers[row["source"].lower()][intent].add(row["word"])
    same = set()
    for source, by_intent in answers.items():
        common, every = set.intersection(*by_intent.values()), set.union(*by_intent.values())
        if len(by_intent) > 1 and len(common) >= SAME * len(every):
            same.add(source)
    return same


def _shared(loaded: Loaded) -> set[tuple[str, str]]:
    rows = loaded.query(queries.SEEN_AGAIN)
    return {(r["action"], r["path"]) for r in rows if r["again"] / r["pairs"] >= SHARED}


def _told_by_known(rows: list[Row], asked: dict[str, int], language: set[str], told: set[str]) -> list[Row]:
    """The rows that are facts: questions made of known words make their values known, until nothing is added."""
    known, kept = set(language), list[Row]()
    while True:
        added = [r for r in rows if _is_fact(r, asked[r["source"]], known, told)]
        if len(added) == len(kept):
            return kept
        kept, known = added, known | {r["word"] for r in added}


def _is_fact(row: Row, users: int, known: set[str], told: set[str]) -> bool:
    """Whether a value of a shared source may be told.

    So many `users` asked this question; `known` are facts and language, and `told` words of several users' messages.
    """
    question = row["source"]
    if _PERSONAL.search(question) or RECORD.search(question):
        return False
    first, *rest = [w.lower() for w in WORD.findall(question)] or [""]
    # The first of several words says what is done. The others, or a single one, may name somebody's record. A call with
    # nothing, which goes by its tool's name, can name no record.
    nothing_asked = row["action"] == f"{question}()"
    if not nothing_asked and ((rest and users < 2 and set(rest) - known - told) or (not rest and first not in known)):
        return False
    return row["users"] >= 2 or users == 1


def _language(by_word: list[Row], names: set[str], intents: dict[str, Row]) -> set[str]:
    """Words that calls need everywhere: in several intents, or in a tenth of the tasks where there is one."""
    spread = Counter(row["word"] for row in by_word)
    tasks: Counter[str] = Counter()
    for row in by_word:
        tasks[row["word"]] += row["tasks"]
    every = sum(r["tasks"] for r in intents.values())
    if len(intents) >= 4:
        return {w for w, n in spread.items() if n > FEW_INTENTS * len(intents) and w not in names}
    return {w for w, n in tasks.items() if n >= max(5, 0.1 * every) and w not in names}


def _never_solved(by_word: list[Row], intents: dict[str, Row]) -> set[tuple[str, str]]:
    dropped = set()
    for row in by_word:
        if row["solved"] or row["tasks"] < NEVER_SOLVED_TASKS:
            continue
        whole = intents[row["intent"]]
        others = whole["tasks"] - row["tasks"]
        rate = whole["solved"] / others if others > 0 else 0.0
        if (1 - min(rate, 1.0)) ** row["tasks"] < NEVER_SOLVED:
            dropped.add((row["intent"], row["word"]))
    return dropped


def _by_source(rows: list[Row], when: dict[str, str], language: set[str]) -> Iterator[Fact]:
    """One fact a source, the best supported first. Sources that say the same of the same thing are told once."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["source"].lower()].append(row)
    ordered = sorted(groups.values(), key=lambda g: (-max(r["tasks"] for r in g), g[0]["source"]))
    told: set[tuple[frozenset[str], frozenset[str]]] = set()
    for group in ordered:
        tokens = {r["word"]: r["surface"] for r in sorted(group, key=lambda r: (r["place"], r["word"]))}
        about = frozenset(words(group[0]["source"]) - language - _leads(ordered))
        if (key := (frozenset(tokens), about)) not in told:
            told.add(key)
            support = max(r["tasks"] for r in group)
            yield Fact(when=when, source=group[0]["source"], tokens=list(tokens.values()), tasks=support)


def _leads(groups: list[list[Row]]) -> set[str]:
    """First words of sources: `list x` and `show x` ask the same of x."""
    return {g[0]["source"].split(" ", 1)[0].lower() for g in groups}


def _unsourced(rows: list[Row], when: dict[str, str], told: set[str]) -> list[Fact]:
    """Names that few intents use: those that nothing `told` of but that successful traces used, as one fact."""
    own = [
        row
        for row in rows
        if min(row["solved"], row["users"]) >= OWN_TASKS and not RECORD.search(row["word"]) and row["word"] not in told
    ]
    if not own:
        return []
    tokens = sorted(own, key=lambda r: (-r["solved"], r["word"]))
    support = min(int(r["solved"]) for r in own)
    return [Fact(when=when, source="calls of successful traces", tokens=[r["word"] for r in tokens], tasks=support)]


def _within(facts: list[Fact]) -> list[Fact]:
    """The facts, best supported first, as far as they fit."""
    kept, size = [], 0
    for fact in facts:
        size += len(fact.source) + sum(len(t) + 2 for t in fact.tokens)
        if size > MAX_CHARACTERS:
            break
        kept.append(fact)
    return kept
