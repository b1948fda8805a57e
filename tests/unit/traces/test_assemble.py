"""Spans of one trace come into the order of their tree, and every tool call becomes one step."""

from collections import Counter

from ninefold.traces.assemble import assemble
from ninefold.traces.model import Message, Span, ToolCall, TraceRecord

START = 1_750_000_000 * 10**9


def span(name: str, start: int = 0, parent: str | None = None, **rest: object) -> Span:
    at = START + start
    return Span("t", name, at, at + 1, parent_id=parent, kind=rest.pop("kind", "llm"), **rest)  # type: ignore[arg-type]


def order(*spans: Span) -> tuple[list[str], dict[str, int]]:
    losses: Counter[str] = Counter()
    record = assemble(spans, losses)
    return [s.step_id for s in record.steps], {k: v for k, v in losses.items() if v}


def tools(record: TraceRecord) -> list[tuple[str | None, str | None, str | None]]:
    return [(s.tool_call_id, s.tool_args, s.tool_result) for s in record.steps if s.kind == "tool"]


class TestOrder:
    def test_parents_come_first_then_children_by_time(self) -> None:
        ids, losses = order(
            span("late", 9, "root"), span("child", 2, "early"), span("early", 1, "root"), span("root", 0)
        )
        assert ids == ["root", "early", "child", "late"]
        assert not losses

    def test_spans_that_say_nothing_of_an_agent_keep_their_place_but_become_no_step(self) -> None:
        ids, losses = order(
            span("b", 2, "http"), span("http", 1, "root", kind=None), span("root", 0), span("a", 3, "root")
        )
        assert ids == ["root", "b", "a"]
        assert losses == {"not_genai": 1}

    def test_orphans_stand_beside_the_roots(self) -> None:
        assert order(span("root", 0), span("lost", 1, "gone")) == (["root", "lost"], {"orphan_spans": 1})

    def test_of_duplicates_the_first_stays(self) -> None:
        assert order(span("root"), span("root", 5)) == (["root"], {"duplicate_spans": 1})

    def test_a_cycle_is_cut_at_its_earliest_span(self) -> None:
        ids, losses = order(span("a", 1, "c"), span("b", 2, "a"), span("c", 3, "b"), span("self", 4, "self"))
        assert ids == ["a", "b", "c", "self"]
        assert losses == {"cyclic_parents": 2}


class TestToolCalls:
    CALL = ToolCall("c1", "museum", '{"command":"list rooms"}')

    def test_a_call_told_by_span_and_messages_is_one_step(self) -> None:
        asks = span("llm", 0, output=[Message("assistant", "", calls=(self.CALL,))])
        runs = span("tool", 1, kind="tool", call_id="c1", tool_name="museum", args=self.CALL.args, result="[full]")
        later = span("llm2", 2, messages=[Message("tool", "[cut", responses=(("c1", "[cut"),))])
        assert tools(assemble([asks, runs, later], Counter())) == [("c1", self.CALL.args, "[full]")]

    def test_a_call_told_by_messages_alone_is_a_step_with_its_result(self) -> None:
        asks = span("llm", 0, output=[Message("assistant", "", calls=(self.CALL,))])
        later = span("llm2", 2, messages=[Message("tool", "[]", responses=(("c1", "[]"),))])
        record = assemble([asks, later], Counter())
        assert tools(record) == [("c1", self.CALL.args, "[]")]
        assert [s.kind for s in record.steps] == ["llm", "tool", "llm"]

    def test_a_tool_span_without_id_is_matched_by_what_it_calls(self) -> None:
        asks = span("llm", 0, output=[Message("assistant", "", calls=(self.CALL,))])
        runs = span("tool", 1, kind="tool", tool_name="museum", args=self.CALL.args, result="[]")
        assert tools(assemble([asks, runs], Counter())) == [("c1", self.CALL.args, "[]")]

    def test_a_result_that_tells_of_an_error_is_one_though_the_span_is_silent(self) -> None:
        quiet = [
            span("a", 0, kind="tool", result="Error: no room 'x'"),
            span("b", 1, kind="tool", result='{"isError": true}'),
        ]
        fine = span("c", 2, kind="tool", result="No errors were found")
        steps = assemble([*quiet, fine], Counter()).steps
        assert [s.status for s in steps] == ["error", "error", "ok"]
        assert steps[0].error_signature == "Error: no room <str>"


class TestMessages:
    def test_a_history_is_stored_once_however_often_it_is_repeated(self) -> None:
        history = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
        turns = [span(str(n), n, messages=history[: n + 1]) for n in range(3)]
        record = assemble(turns, Counter())
        assert len(record.messages) == 3
        last = record.steps[2].messages_in_hash
        told = []
        while last:
            last, _, content = record.messages[last]
            told.append(content)
        assert told == ["c", "b", "a"]

    def test_a_system_message_in_the_history_is_the_system_prompt(self) -> None:
        record = assemble([span("a", messages=[Message("system", "Be kind."), Message("user", "Hi")])], Counter())
        step = record.steps[0]
        assert record.messages[step.system_prompt_hash or ""][2] == "Be kind."
        assert record.messages[step.messages_in_hash or ""] == (None, "user", "Hi")

    def test_users_are_known_by_a_hash_alone(self) -> None:
        record = assemble([span("a", user_id="jane@example.org")], Counter())
        assert record.user_hash and "jane" not in record.user_hash
