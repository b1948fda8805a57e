"""From the table of steps to episodes: one trace as its calls, with what was told before them and how it ended."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.actions import Actions
from ninefold.analysis.words import words
from ninefold.traces import StepTable


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
    system and user messages. `user` is the user's hash, or the task where traces name no users.
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


@dataclass(frozen=True, slots=True)
class Opening:
    """What a trace started from: enough to run its case again. `input` is None when no content was recorded."""

    trace_id: str
    session_id: str
    cluster: str
    intent: str | None
    metadata: dict[str, Any]
    solved: bool
    input: Any


class Messages:
    """The tree of messages: a hash names a message and, through its parents, the history before it."""

    def __init__(self, table: pa.Table) -> None:
        columns = (table[c].to_pylist() for c in ("hash", "parent_hash", "role", "content"))
        self._nodes = {h: (parent, role, content) for h, parent, role, content in zip(*columns, strict=True)}

    def history(self, last: str | None) -> list[tuple[str, str]]:
        """(role, content) from the first message to the one named; empty for None."""
        out = []
        while last is not None and last in self._nodes:
            last, role, content = self._nodes[last]
            out.append((role, content))
        return out[::-1]


def openings(table: StepTable, intent_key: str | None) -> list[Opening]:
    """The judged traces, in the order of their start."""
    judged = table.traces.filter(pc.is_valid(table.traces["outcome"])).sort_by(
        [("start_ts", "ascending"), ("trace_id", "ascending")]
    )
    messages = Messages(table.messages)
    first = _first_inputs(table.steps)
    rows = judged.select(["trace_id", "session_id", "task_key", "outcome", "metadata"]).to_pylist()
    clusters = _clusters([(r["session_id"], r["task_key"]) for r in rows])
    out = []
    for row in rows:
        metadata = json.loads(row["metadata"])
        intent = metadata.get(intent_key) if intent_key else None
        out.append(
            Opening(
                trace_id=row["trace_id"],
                session_id=row["session_id"],
                cluster=clusters["session", row["session_id"]],
                intent=None if intent is None else str(intent),
                metadata=metadata,
                solved=row["outcome"],
                input=_input(messages.history(first.get(row["trace_id"]))),
            )
        )
    return out


def episodes(table: StepTable, chosen: list[Opening]) -> list[Episode]:
    """The chosen traces with their calls. Signatures are made over these traces alone."""
    ids = pa.array([o.trace_id for o in chosen], pa.string())
    mine = table.steps.filter(pc.is_in(table.steps["trace_id"], value_set=ids))
    tools = mine.filter(pc.equal(mine["kind"], "tool")).sort_by([("trace_id", "ascending"), ("step_idx", "ascending")])
    columns = ["trace_id", "tool_name", "name", "tool_args", "tool_result", "error_signature", "status"]
    steps: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in tools.select(columns).to_pylist():
        steps[step["trace_id"]].append(step)
    tasks, users = (dict(zip(*_columns(table, "trace_id", c), strict=True)) for c in ("task_key", "user_hash"))
    actions = Actions(
        (tasks[o.trace_id] or o.session_id, _tool(s), s["tool_args"] or "") for o in chosen for s in steps[o.trace_id]
    )
    told = _told(table, mine)
    return [
        Episode(
            trace_id=o.trace_id,
            session_id=o.session_id,
            user=users[o.trace_id] or tasks[o.trace_id] or o.session_id,
            task=tasks[o.trace_id] or o.session_id,
            same_task=tasks[o.trace_id] is not None,
            intent=o.intent or "",
            cluster=o.cluster,
            solved=o.solved,
            calls=tuple(_call(k, s, actions) for k, s in enumerate(steps[o.trace_id], 1)),
            told=told.get(o.trace_id, frozenset()),
        )
        for o in chosen
    ]


def _columns(table: StepTable, *names: str) -> list[list[Any]]:
    return [table.traces[name].to_pylist() for name in names]


def _call(k: int, step: dict[str, Any], actions: Actions) -> Call:
    tool, args = _tool(step), step["tool_args"] or ""
    error = (step["error_signature"] or "error") if step["status"] == "error" else None
    return Call(k, tool, actions.signature(tool, args), args, step["tool_result"] or "", error)


def _tool(step: dict[str, Any]) -> str:
    return step["tool_name"] or step["name"] or "tool"


def _told(table: StepTable, mine: pa.Table) -> dict[str, frozenset[str]]:
    """Words of the system prompt and of all user messages, per trace, from its longest history."""
    messages = Messages(table.messages)
    last: dict[str, str] = {}
    system: dict[str, str] = {}
    ordered = mine.sort_by("step_idx").select(["trace_id", "messages_in_hash", "system_prompt_hash"])
    for trace_id, history, prompt in zip(*(c.to_pylist() for c in ordered.columns), strict=True):
        if history:
            last[trace_id] = history
        if prompt:
            system.setdefault(trace_id, prompt)
    spoken = {h: words(" ".join(c for _, c in messages.history(h))) for h in set(system.values())}
    out = {}
    for trace_id in {*last, *system}:
        user = (c for role, c in messages.history(last.get(trace_id)) if role in ("user", "system", "developer"))
        out[trace_id] = frozenset(words(" ".join(user)) | spoken.get(system.get(trace_id, ""), set()))
    return out


def _first_inputs(steps: pa.Table) -> dict[str, str]:
    with_input = steps.filter(pc.is_valid(steps["messages_in_hash"])).sort_by([("step_idx", "descending")])
    return dict(
        zip(with_input["trace_id"].to_pylist(), with_input["messages_in_hash"].to_pylist(), strict=True)
    )  # the last one written is the earliest step


def _input(history: list[tuple[str, str]]) -> Any:
    """The user's text when the case opens with one message of the user, else the messages."""
    spoken = [(role, content) for role, content in history if role not in ("system", "developer")]
    if not any(role == "user" for role, _ in spoken):
        return None
    if len(spoken) == 1:
        return spoken[0][1]
    return [{"role": role, "content": content} for role, content in spoken]


def _clusters(pairs: list[tuple[str, str | None]]) -> dict[tuple[str, str], str]:
    """The larger of session and task: sessions that share a task, and tasks that share a session, are one cluster.

    Connected components of the graph of sessions and tasks; a component is named by its smallest member.
    """
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for session, task in pairs:
        a = root(("session", session))
        b = root(("task", task)) if task is not None else a
        parent[max(a, b)] = min(a, b)
    return {node: "=".join(root(node)) for node in parent}
