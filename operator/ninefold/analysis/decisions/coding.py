"""From the table of steps to one short sequence of codes per trace, a shard at a time.

The lexicon (which leading words belong to a signature) is fixed by the first shard, so that a code means the same
ever after; what later shards add are new symbols, never other meanings. Reports name symbols, not codes, and so do not
depend on the order in which shards came.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.actions import LEAD_TASKS, MODES
from ninefold.analysis.decisions import statements
from ninefold.analysis.engine import Engine
from ninefold.traces.table import StepTable

START = 1
MOST_LEADS = 20
"""Leading words of an argument above which it is free text, whose first word says nothing of what is done."""
LEADS_COVER = 0.8
"""Share of an argument's calls that its known words must lead, else it is free text too."""
MOST_CODES = 4_000
"""Symbols that are told apart; what is rarer shares one code."""
REST = "other\x1fother()\x1fok\x1f0"
_DAY = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Symbol:
    """What one code stands for: a call, how it went, and whether it named something that nothing supports."""

    tool: str
    action: str
    outcome: str
    bare: bool

    @classmethod
    def read(cls, text: str) -> "Symbol":
        tool, action, outcome, bare = text.split("\x1f")
        return cls(tool, action, outcome, bare == "1")

    @property
    def error(self) -> str | None:
        return self.outcome[6:] if self.outcome.startswith("error ") else None

    @property
    def choice(self) -> tuple[str, bool]:
        """What the agent decided, without how it went."""
        return self.action, self.bare

    def __str__(self) -> str:
        return self.action if self.outcome == "ok" else f"{self.action} → {self.outcome}"


@dataclass
class Codes:
    """Symbols by code; 0 is none, 1 the start of a trace."""

    symbols: list[Symbol] = field(default_factory=lambda: [Symbol("", "", "", False), Symbol("", "start", "ok", False)])
    known: dict[str, int] = field(default_factory=dict)
    lexicon: list[str] | None = None

    def learn(self, texts: list[str]) -> None:
        """Give a code to each symbol that has none, in this order."""
        for text in texts:
            if text not in self.known:
                if len(self.symbols) >= MOST_CODES and text != REST:
                    self.learn([REST])
                    self.known[text] = self.known[REST]
                    continue
                self.known[text] = len(self.symbols)
                self.symbols.append(Symbol.read(text))


class Coder:
    """Codes shards into the engine's table `coded`. `traces` and `steps` count what is there;

    `tasks_named`: a task key was seen."""

    def __init__(self, engine: Engine, intent_key: str | None = None) -> None:
        self._engine, self._intent_key = engine, intent_key
        self.codes = Codes()
        self.traces = self.steps = 0
        self.tasks_named = False
        engine.create("coded", statements.CODED_COLUMNS)

    def add(self, table: StepTable) -> None:
        """One shard; its traces must be whole and judged ones count alone."""
        engine = self._engine
        judged = table.traces.filter(pc.is_valid(table.traces["outcome"]))
        if not judged.num_rows:
            return
        engine.load("steps", _steps(table, judged))
        engine.load("told", _told(table, judged))
        engine.load("tasks", self._tasks(judged))
        engine.derive("parsed", statements.PARSED)
        if self.codes.lexicon is None:
            self.codes.lexicon = list(self._lexicon())
        engine.load("lexicon", pa.table({"word": pa.array(self.codes.lexicon, pa.string())}))
        engine.derive("unsupported", statements.UNSUPPORTED)
        engine.derive("signed", statements.SIGNED)
        self.codes.learn([str(r["symbol"]) for r in engine.query(statements.SYMBOLS)])
        known = self.codes.known
        engine.load(
            "codes", pa.table({"symbol": pa.array(known, pa.string()), "code": pa.array(known.values(), pa.uint16())})
        )
        engine.append("coded", statements.SEQUENCES.format(base=self.traces))
        self.traces += judged.num_rows
        self.steps += table.steps.num_rows
        for name in ("steps", "told", "tasks", "parsed", "unsupported", "signed", "codes", "lexicon"):
            engine.drop(name)

    @property
    def matchable(self) -> bool:
        """Whether anything tells one task from another; else every difference may be a mix of tasks."""
        return self.traces > 0 and (self.tasks_named or self._intent_key is not None)

    def _tasks(self, judged: pa.Table) -> pa.Table:
        named = pc.is_valid(judged["task_key"])
        self.tasks_named |= bool(pc.any(named).as_py())
        task = _numbers(pc.coalesce(judged["task_key"], judged["session_id"]))
        version = pc.fill_null(judged["agent_version"], "")
        return pa.table(
            {
                "n": pa.array(np.arange(judged.num_rows), pa.uint32()),
                "trace_id": judged["trace_id"],
                "task": task,
                "cluster": task,
                "intent": self._intents(judged),
                "day": pc.cast(pc.divide(pc.cast(judged["start_ts"], pa.int64()), _DAY), pa.uint16()),
                "version": version,
                "solved": pc.cast(judged["outcome"], pa.uint8()),
            }
        )

    def _intents(self, judged: pa.Table) -> pa.Array:
        """The metadata field that the user named, as text; empty where there is none."""
        if self._intent_key is None:
            return pa.array([""] * judged.num_rows)
        read = (json.loads(m).get(self._intent_key) for m in judged["metadata"].to_pylist())
        return pa.array(["" if v is None else str(v) for v in read])

    def _lexicon(self) -> Iterator[str]:
        words: defaultdict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        alone: defaultdict[tuple[str, str], int] = defaultdict(int)
        for r in self._engine.query(statements.LEADS):
            key = (r["tool"], r["name"])
            calls[key] += r["calls"]
            alone[key] += r["alone"] > 0
            if r["word"] and r["tasks"] >= LEAD_TASKS:
                words[key].append((r["word"], r["calls"]))
        for (tool, name), own in sorted(words.items()):
            # Many single words are names of things (towns, customers), not modes of a call.
            if alone[tool, name] > MODES or len(own) > MOST_LEADS:
                continue
            if sum(n for _, n in own) >= LEADS_COVER * calls[tool, name]:
                yield from (f"{tool}\x1f{name}\x1f{word}" for word, _ in own)


def _steps(table: StepTable, judged: pa.Table) -> pa.Table:
    """Tool calls, and what the agent said last, of the judged traces; `n` is the trace's row."""
    steps = table.steps
    n = pc.index_in(steps["trace_id"], value_set=judged["trace_id"])
    last = pc.and_(pc.equal(steps["kind"], "llm"), pc.is_valid(steps["message_out"]))
    # The last step of a trace is the one that the next row does not continue.
    ordered = steps.append_column("n", n).filter(pc.and_(pc.is_valid(n), pc.or_(pc.equal(steps["kind"], "tool"), last)))
    ordered = ordered.sort_by([("n", "ascending"), ("step_idx", "ascending")])
    numbers = ordered["n"].to_numpy()
    ends = np.append(numbers[1:] != numbers[:-1], True) if len(numbers) else np.zeros(0, bool)
    kept = ordered.filter(pc.or_(pc.equal(ordered["kind"], "tool"), pa.array(ends)))
    return pa.table(
        {
            "n": pc.cast(kept["n"], pa.uint32()),
            "k": pc.cast(pc.add(kept["step_idx"], statements.FIRST_STEP), pa.uint32()),
            "kind": kept["kind"],
            "tool": pc.coalesce(kept["tool_name"], kept["name"]),
            "args": pc.fill_null(kept["tool_args"], ""),
            "result": pc.fill_null(kept["tool_result"], ""),
            "failed": pc.equal(kept["status"], "error"),
            "signature": pc.fill_null(kept["error_signature"], ""),
        }
    )


def _told(table: StepTable, judged: pa.Table) -> pa.Table:
    """What users and system said, by trace: the last recorded history covers those before it."""
    steps = table.steps.select(["trace_id", "messages_in_hash"])
    steps = steps.filter(pc.is_valid(steps["messages_in_hash"]))
    parents = dict(zip(table.messages["hash"].to_pylist(), table.messages["parent_hash"].to_pylist(), strict=True))
    spoken = pc.is_in(table.messages["role"], value_set=pa.array(["user", "system", "developer"]))
    own = table.messages.filter(spoken)
    contents = dict(zip(own["hash"].to_pylist(), own["content"].to_pylist(), strict=True))
    n = pc.index_in(steps["trace_id"], value_set=judged["trace_id"]).to_pylist()
    last = dict(zip(n, steps["messages_in_hash"].to_pylist(), strict=True))
    last.pop(None, None)
    rows: dict[int, str] = {}
    for trace, name in last.items():
        texts, at = [], name
        while at is not None:
            if (text := contents.get(at)) is not None:
                texts.append(text)
            at = parents.get(at)
        rows[trace] = "\n".join(texts)
    return pa.table({"n": pa.array(rows.keys(), pa.uint32()), "text": pa.array(rows.values(), pa.string())})


def _numbers(texts: pa.Array) -> pa.Array:
    """A stable 64-bit number for each text."""
    encoded = pc.dictionary_encode(texts)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    digests = [
        int.from_bytes(hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        for t in encoded.dictionary.to_pylist()
    ]
    return pa.array(digests, pa.uint64()).take(encoded.indices)
