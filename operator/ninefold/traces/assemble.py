"""The spans of one trace, in order, as one `TraceRecord`.

Order is the tree's: a parent before its children, siblings by start, then those with children, by end and by id.
Times come from many clocks. A span that a clock has put before the year 2000, or more than a week from the others, says
nothing about when its trace was; one that ends before it begins, or a week later, has no length; each counts as
`clock_skew`, and so does a child that begins more than a second before its parent. None of them is lost.

Spans whose parent is missing count as `orphan_spans` and stand beside the roots; a cycle of parents is cut at its
earliest span (`cyclic_parents`); of spans with one id the first stays (`duplicate_spans`).

A tool call is usually told twice or more: by its own span, by the model's message that asks for it, and by the tool
message in every later turn. It becomes one step. Where no span tells it, the messages alone make the step.

Messages form a tree, as every turn repeats the history before it: a message's hash covers its parent's, so a whole
history is named by the hash of its last message and each message is stored once.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ninefold.client import metadata_text
from ninefold.traces.errors import looks_like_error, signature_of
from ninefold.traces.model import Message, Score, Span, Step, ToolCall, TraceRecord

Messages = dict[str, tuple[str | None, str, str]]
_TOP = "/top"
"""Stands for the parent of roots and orphans; no id has a slash."""
_SYSTEM_ROLES = ("system", "developer")
_SECOND = 10**9
MIN_MOMENT = 946_684_800 * _SECOND
"""The year 2000. A span before it was given its time by a clock that was never set."""
_LAST = 2**63 - 1
"""The last nanosecond since 1970 of a 64-bit number, in the year 2262."""
MAX_SPAN = 7 * 24 * 3600 * _SECOND
"""Nanoseconds. What took longer than a week was measured by two clocks."""


def assemble(spans: Sequence[Span], losses: Counter[str]) -> TraceRecord:
    """One trace from its spans, of which there is at least one."""
    ordered = _in_order(spans, losses)
    timed = _settled(ordered, losses)
    messages = _Store()
    told = [s for s in ordered if s.kind is not None]
    losses["not_genai"] += len(ordered) - len(told)
    told = _with_calls_of_messages(told)
    steps = tuple(_step(i, s, messages) for i, s in enumerate(told))
    agents = [s for s in told if s.kind == "agent"]
    tops = [ordered[0], *agents, *ordered[1:]]
    metadata: dict[str, Any] = {}
    for head in [ordered[0], *agents[:1], *(s for s in ordered if s.parent_id is None)]:
        metadata = {**head.metadata, **metadata}
    costs = [s.cost_usd for s in ordered if s.cost_usd is not None]
    user = _first(s.user_id for s in tops)
    scores: list[Score] = [score for s in ordered for score in s.scores]
    return TraceRecord(
        trace_id=ordered[0].trace_id,
        session_id=_first(s.session_id for s in tops) or ordered[0].trace_id,
        user_hash=_hash("user", user) if user else None,
        agent=_first(s.agent for s in tops) or _first(s.service for s in tops),
        agent_version=_first(s.agent_version for s in tops),
        environment=_first(s.environment for s in tops),
        start_ts=min(s.start for s in timed),
        end_ts=max(s.end for s in timed),
        cost_usd=sum(costs) if costs else None,
        # As text: some stores keep nothing else, and a version's conditions compare text.
        metadata={key: metadata_text(value) for key, value in metadata.items()},
        steps=steps,
        scores=tuple(sorted(scores, key=lambda s: (s.ts, s.name, s.step_id or ""))),
        messages=messages.known,
    )


def _in_order(spans: Iterable[Span], losses: Counter[str]) -> list[Span]:
    known: dict[str, Span] = {}
    for span in spans:
        if span.span_id in known:
            losses["duplicate_spans"] += 1
        else:
            known[span.span_id] = span
    children: defaultdict[str, list[Span]] = defaultdict(list)
    parents = {s.parent_id for s in known.values()}
    for span in sorted(known.values(), key=lambda s: (s.start, s.span_id not in parents, s.end, s.span_id)):
        parent = span.parent_id or _TOP
        if parent != _TOP and parent not in known:
            losses["orphan_spans"] += 1
            parent = _TOP
        children[parent].append(span)
    ordered: list[Span] = []
    left = dict.fromkeys(s.span_id for group in children.values() for s in group)
    stack = children[_TOP][::-1]
    while left:
        if not stack:  # only spans on a cycle of parents, or below one, are left
            losses["cyclic_parents"] += 1
            stack = [min((known[i] for i in left), key=lambda s: (s.start, s.span_id))]
        span = stack.pop()
        if span.span_id in left:
            del left[span.span_id]
            ordered.append(span)
            stack += children[span.span_id][::-1]
    return ordered


def _settled(ordered: Sequence[Span], losses: Counter[str]) -> list[Span]:
    """The spans whose times say when the trace was, at least one; ends that cannot be are cut in all spans."""
    begun: dict[str, int] = {}
    sane = [s for s in ordered if s.start >= MIN_MOMENT]
    middle = sorted(s.start for s in sane)[len(sane) // 2] if sane else 0
    near: list[Span] = []
    for span in ordered:
        above = begun.get(span.parent_id or "", span.start)
        begun[span.span_id] = span.start
        far = span.start < MIN_MOMENT or abs(span.start - middle) > MAX_SPAN
        endless = not span.start <= span.end <= span.start + MAX_SPAN
        early = span.start < above - _SECOND
        losses["clock_skew"] += far or endless or early
        if endless:
            span.end = span.start
        if far:  # its place in the tree is kept, and a time that a table can hold
            span.start, span.end = (min(max(moment, 0), _LAST) for moment in (span.start, span.end))
        if not far:
            near.append(span)
    return near or list(ordered)


def _with_calls_of_messages(spans: list[Span]) -> list[Span]:
    """The spans, tool spans completed from messages, and tool steps added for calls that no span tells."""
    responses = {i: r for s in spans for m in s.messages for i, r in m.responses}
    by_id = {s.call_id: s for s in spans if s.kind == "tool" and s.call_id}
    nameless = [s for s in spans if s.kind == "tool" and not s.call_id]
    out: list[Span] = []
    for span in spans:
        out.append(span)
        for n, call in enumerate(c for m in span.output for c in m.calls):
            own = by_id.get(call.call_id or "") or _take(nameless, call)
            if own is None:
                out.append(_from_message(span, n, call))
                continue
            own.call_id = own.call_id or call.call_id
            own.tool_name = own.tool_name or call.name
            own.args = own.args if own.args is not None else call.args
    for span in out:
        if span.kind == "tool" and span.result is None and span.call_id in responses:
            span.result = responses[span.call_id]
    return out


def _take(nameless: list[Span], call: ToolCall) -> Span | None:
    """A tool span without an id that is this very call: the same tool and the same arguments."""
    for span in nameless:
        if span.tool_name == call.name and span.args in (None, call.args):
            nameless.remove(span)
            return span
    return None


def _from_message(asker: Span, n: int, call: ToolCall) -> Span:
    identity = f"{asker.span_id}/{call.call_id or n}"
    made = Span(asker.trace_id, identity, asker.end, asker.end, parent_id=asker.span_id, kind="tool", name=call.name)
    return replace(made, tool_name=call.name, call_id=call.call_id, args=call.args)


def _step(index: int, span: Span, messages: "_Store") -> Step:
    assert span.kind is not None
    history = list(span.messages)
    system = span.system
    if system is None and history and history[0].role in _SYSTEM_ROLES:
        system = history.pop(0).content
    error = span.error_message
    failed = span.failed
    if span.kind == "tool" and span.result:
        if not failed and looks_like_error(span.result):
            failed = True
        if failed and not error:
            error = span.result
    said = "\n".join(m.content for m in span.output)
    return Step(
        trace_id=span.trace_id,
        step_idx=index,
        step_id=span.span_id,
        parent_id=span.parent_id,
        kind=span.kind,
        name=span.name,
        tool_name=span.tool_name,
        tool_call_id=span.call_id,
        tool_args=span.args,
        tool_result=span.result,
        messages_in_hash=messages.store(history),
        message_out=said or None,
        system_prompt_hash=messages.store([Message("system", system)]) if system else None,
        prompt_name=span.prompt_name,
        prompt_version=span.prompt_version,
        model=span.model,
        tokens_in=span.tokens_in,
        tokens_out=span.tokens_out,
        cost_usd=span.cost_usd,
        start_ts=span.start,
        end_ts=span.end,
        status="error" if failed else "ok",
        error_type=span.error_type,
        error_message=error if failed else None,
        error_signature=(signature_of(error) if error else span.error_type or "error") if failed else None,
    )


class _Store:
    """The messages of a trace, each hashed once: every turn tells the history before it again."""

    def __init__(self) -> None:
        self.known: Messages = {}
        self._hashes: dict[tuple[str | None, str, str], str] = {}

    def store(self, history: Iterable[Message]) -> str | None:
        """Stores a history message by message; the hash of its last one names it."""
        parent: str | None = None
        for message in history:
            line = parent, message.role, message.content
            own = self._hashes.get(line)
            if own is None:
                own = self._hashes[line] = message_hash(*line)
                self.known.setdefault(own, line)
            parent = own
        return parent


def message_hash(parent: str | None, role: str, content: str) -> str:
    """The name of a message, by which it is stored once: covers the whole history before it through its parent's."""
    return _hash(parent or "", role, content)


def _hash(*texts: str) -> str:
    digest = hashlib.blake2b(digest_size=16, person=b"ninefold")
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _first(values: Iterable[str | None]) -> str | None:
    return next((v for v in values if v), None)
