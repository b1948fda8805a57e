"""From the sampled text to episodes: one trace as its calls, with what was told before them and how it ended."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ninefold.analysis.actions import Actions
from ninefold.analysis.sample import Sample
from ninefold.analysis.words import numbers, words


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call. `k` counts from 1; `error` is the signature of its error, None when it went well."""

    k: int
    tool: str
    action: str
    args: str
    result: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Episode:
    """One judged trace. `task` names what must be distinct for support: the task, or the session without a task key.

    `same_task` is whether `task` is a real task key, within which a contrast may be matched. `told` are the words of
    system and user messages, `numbers` their numbers. `user` is the
    user's hash, or the task where traces name no users.
    """

    trace_id: str
    session_id: str
    user: str
    task: str
    same_task: bool
    intent: str
    cluster: str
    solved: bool
    calls: tuple[Call, ...]
    told: frozenset[str]
    numbers: frozenset[str] = frozenset()


def episodes(sample: Sample, clusters: Mapping[str, str] | None = None) -> list[Episode]:
    """The sampled traces with their calls. Signatures are made over these traces alone.

    `clusters` names the cluster of each trace; None makes each task one.
    """
    traces = sample.traces.to_pylist()
    tasks = {t["trace_id"]: t["task_key"] or t["session_id"] for t in traces}
    columns = [sample.calls[c].to_pylist() for c in ("trace_id", "tool", "args", "result", "error")]
    actions = Actions((tasks[t], tool, args) for t, tool, args in zip(*columns[:3], strict=True))
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    for trace, tool, args, result, error in zip(*columns, strict=True):
        own = calls[trace]
        own.append(Call(len(own) + 1, tool, actions.signature(tool, args), args, result, error))
    told = _Told(sample)
    return [
        Episode(
            trace_id=t["trace_id"],
            session_id=t["session_id"],
            user=t["user"] or tasks[t["trace_id"]],
            task=tasks[t["trace_id"]],
            same_task=t["task_key"] is not None,
            intent=t["intent"] or "",
            cluster=tasks[t["trace_id"]] if clusters is None else clusters[t["trace_id"]],
            solved=t["solved"],
            calls=tuple(calls[t["trace_id"]]),
            told=told.words(t["told"], t["system"]),
            numbers=told.numbers(t["told"], t["system"]),
        )
        for t in traces
    ]


class _Told:
    """Words and numbers of what was said, by its last message: many traces share a history, and nearly all a prompt."""

    def __init__(self, sample: Sample) -> None:
        columns = (sample.told[c].to_pylist() for c in ("hash", "parent_hash", "content"))
        self._lines = {h: (parent, content) for h, parent, content in zip(*columns, strict=True)}
        self._known: dict[tuple[str | None, ...], frozenset[str]] = {}
        self._numbers: dict[tuple[str | None, ...], frozenset[str]] = {}

    def words(self, *last: str | None) -> frozenset[str]:
        if last not in self._known:
            if len(last) > 1:
                self._known[last] = frozenset().union(*(self.words(one) for one in last))
            else:
                self._known[last] = frozenset(words(" ".join(self._texts(last[0]))))
        return self._known[last]

    def numbers(self, *last: str | None) -> frozenset[str]:
        if last not in self._numbers:
            texts = [text for one in last for text in self._texts(one)]
            self._numbers[last] = frozenset(numbers(" ".join(texts)))
        return self._numbers[last]

    def _texts(self, at: str | None) -> list[str]:
        out = []
        while at is not None:
            at, content = self._lines[at]
            out.append(content)
        return out
