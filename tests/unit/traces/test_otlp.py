"""OTLP-JSON lines become traces, whatever order, compression or damage they come with."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from trace_builders import START, an_agent_spec, request, wire_span, write_lines

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import Backend, TracesProblem, Window, collect, open_backend
from ninefold.traces import spool as spool_module
from ninefold.traces.model import TraceRecord

ALWAYS = Window(0, 2**63)


def backend(root: Path, path: str = "") -> Backend:
    return open_backend(
        TraceBackendSpec.model_validate({"otlp": {"volume": {"configMap": {"name": "c"}}, "path": path}}), root
    )


def read(root: Path, path: str = "", window: Window = ALWAYS) -> tuple[list[TraceRecord], dict[str, int]]:
    source = backend(root, path)
    return list(source.read(window)), {k: v for k, v in source.losses.items() if v}


def chat(n: int, *, at: float, **more: Any) -> dict[str, Any]:
    said = {"gen_ai__output__messages": "Hello."}
    return wire_span(n, at=at, gen_ai__operation__name="chat", **{**said, **more})


def score(value: float, name: str = "solved") -> dict[str, Any]:
    attributes = wire_span(0, gen_ai__evaluation__name=name, gen_ai__evaluation__score__value=value)["attributes"]
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": str(START + 5), "attributes": attributes}


def root(**more: Any) -> dict[str, Any]:
    return wire_span(0, lasts=10, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="guide", **more)


class TestWhatASpanSays:
    def test_an_agent_run_with_a_tool_call(self, tmp_path: Path) -> None:
        asked = [{"role": "user", "parts": [{"type": "text", "content": "Open the vault."}]}]
        call = {"type": "tool_call", "id": "c1", "name": "museum", "arguments": {"command": "open vault"}}
        spans = [
            root(
                gen_ai__conversation__id="s-1",
                app__museum="north",
                app__floor=3,
                app__tags=["a", "b"],
                app__visit={"day": 2, "guided": True},
                events=[score(1.0)],
            ),
            chat(
                1,
                at=1,
                gen_ai__request__model="m-1",
                gen_ai__usage__input_tokens=12,
                gen_ai__system_instructions=json.dumps([{"type": "text", "content": "Guide visitors."}]),
                gen_ai__input__messages=json.dumps(asked),
                gen_ai__output__messages=json.dumps([{"role": "assistant", "parts": [call]}]),
            ),
            wire_span(
                2,
                at=2,
                gen_ai__operation__name="execute_tool",
                gen_ai__tool__name="museum",
                gen_ai__tool__call__id="c1",
                gen_ai__tool__call__arguments='{"command": "open vault"}',
                gen_ai__tool__call__result="There is no room 'vault'",
                status={"code": 2, "message": "There is no room 'vault'"},
            ),
        ]
        write_lines(tmp_path / "t.jsonl", request(*spans))
        (trace,), losses = read(tmp_path)
        assert not losses
        assert (trace.session_id, trace.agent, trace.environment) == ("s-1", "guide", "production")
        visit = '{"day":2,"guided":true}'
        assert trace.metadata == {"app.museum": "north", "app.floor": "3", "app.tags": '["a","b"]', "app.visit": visit}
        assert [s.kind for s in trace.steps] == ["agent", "llm", "tool"]
        _, llm, tool = trace.steps
        assert (llm.model, llm.tokens_in) == ("m-1", 12)
        assert llm.messages_in_hash is not None and llm.system_prompt_hash is not None
        assert trace.messages[llm.messages_in_hash] == (None, "user", "Open the vault.")
        assert trace.messages[llm.system_prompt_hash][2] == "Guide visitors."
        assert (tool.tool_name, tool.tool_args, tool.status) == ("museum", '{"command":"open vault"}', "error")
        assert tool.error_signature == "There is no room <str>"
        assert [(s.name, s.value, s.step_id) for s in trace.scores] == [("solved", 1.0, None)]

    def test_without_an_agents_name_the_service_stands_for_it(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "t.jsonl", request(chat(0, at=0), service="desk"))
        assert read(tmp_path)[0][0].agent == "desk"

    def test_structured_messages_are_read_like_json_text(self, tmp_path: Path) -> None:
        messages = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]
        write_lines(
            tmp_path / "t.jsonl",
            request(chat(0, at=0, gen_ai__input__messages=messages)),
            request(chat(0, at=0, trace=2, gen_ai__input__messages=json.dumps(messages))),
        )
        one, two = read(tmp_path)[0]
        assert one.steps[0].messages_in_hash == two.steps[0].messages_in_hash is not None

    def test_ids_in_base64_are_the_same_as_in_hex(self, tmp_path: Path) -> None:
        plain = chat(0, at=0)
        odd = {**chat(1, at=1), "traceId": "AAAAAAAAAAAAAAAAAAAAAQ==", "parentSpanId": "AAAAAAAAAAE="}
        write_lines(tmp_path / "t.jsonl", request(plain), request(odd))
        (trace,), losses = read(tmp_path)
        assert len(trace.steps) == 2 and not losses

    def test_a_score_that_is_no_number_is_counted(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "t.jsonl", request(root(events=[score(float("nan")), score("good")])))  # type: ignore[arg-type]
        (trace,), losses = read(tmp_path)
        assert [s.value for s in trace.scores] == [None, None]
        assert losses == {"scores_without_number": 2}


class TestFilesAsTheyAre:
    def test_spans_of_a_trace_may_lie_in_any_line_of_any_file(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "b.jsonl", request(chat(2, at=2)), request(root()))
        write_lines(tmp_path / "sub/a.jsonl", request(chat(1, at=1)))
        (trace,), _ = read(tmp_path)
        assert [s.step_id[-1] for s in trace.steps] == ["1", "2", "3"]

    def test_gzip_is_read_and_a_cut_one_gives_what_it_has(self, tmp_path: Path) -> None:
        lines = b"".join(json.dumps(request(chat(0, at=0, trace=t))).encode() + b"\n" for t in range(1, 400))
        (tmp_path / "whole.jsonl.gz").write_bytes(gzip.compress(lines))
        assert len(read(tmp_path)[0]) == 399
        packed = gzip.compress(lines)
        (tmp_path / "whole.jsonl.gz").write_bytes(packed[: len(packed) // 2])
        traces, losses = read(tmp_path)
        assert 0 < len(traces) < 399
        assert losses["unreadable_files"] == 1

    def test_damage_is_counted_by_name_and_never_fatal(self, tmp_path: Path) -> None:
        good = json.dumps(request(chat(0, at=0)))
        write_lines(
            tmp_path / "t.jsonl",
            "{",
            "[]",
            '{"resourceMetrics": []}',
            good.encode().replace(b'"name": "span"', b'"name": "\xff"'),
            "",
        )
        traces, losses = read(tmp_path)
        assert len(traces) == 1
        assert losses == {"malformed_lines": 3, "invalid_utf8": 1}

    def test_an_endless_line_is_dropped_without_being_held(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ninefold.traces.stored.MAX_RECORD", 4096)
        write_lines(tmp_path / "t.jsonl", "x" * 10_000, request(chat(0, at=0)))
        traces, losses = read(tmp_path)
        assert (len(traces), losses) == (1, {"oversized_lines": 1})

    def test_a_path_may_be_a_file_a_folder_or_a_glob(self, tmp_path: Path) -> None:
        for n, name in enumerate(("a/one.jsonl", "a/two.txt", "b/three.jsonl"), 1):
            write_lines(tmp_path / name, request(chat(0, at=0, trace=n)))
        counts = {path: len(read(tmp_path, path)[0]) for path in ("", "a", "a/one.jsonl", "*/*.jsonl")}
        assert counts == {"": 3, "a": 2, "a/one.jsonl": 1, "*/*.jsonl": 2}

    def test_nothing_that_matches_is_a_sentence_with_what_is_there(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "a/one.jsonl", request(chat(0, at=0)))
        with pytest.raises(
            TracesProblem, match=r"no file of the volume matches path '\*\.json': it holds a/one\.jsonl"
        ):
            read(tmp_path, "*.json")

    def test_links_out_of_the_root_are_refused_and_links_inside_are_not(self, tmp_path: Path) -> None:
        secret = write_lines(tmp_path / "secret.jsonl", request(chat(0, at=0, trace=9)))
        volume = tmp_path / "volume"
        write_lines(volume / "..data/t.jsonl", request(chat(0, at=0)))
        (volume / "t.jsonl").symlink_to(volume / "..data/t.jsonl")
        (volume / "out.jsonl").symlink_to(secret)
        traces, losses = read(volume)
        assert [t.trace_id[-1] for t in traces] == ["1"]
        assert losses == {"outside_root": 1}

    def test_more_than_fits_goes_through_the_spool_and_comes_out_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spans = [chat(n, at=n, trace=t, gen_ai__request__model="m") for n in range(1, 4) for t in range(1, 30)]
        write_lines(tmp_path / "t.jsonl", *(request(s) for s in spans))
        whole = {t.trace_id: t for t in read(tmp_path)[0]}
        monkeypatch.setattr(spool_module, "IN_MEMORY", 1_000)
        assert {t.trace_id: t for t in read(tmp_path)[0]} == whole

    def test_only_traces_of_the_window_are_kept(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "t.jsonl", *(request(chat(0, at=10 * n, trace=n + 1)) for n in range(3)))
        traces, losses = read(tmp_path, window=Window(START, START + 10_000_000_000))
        assert (len(traces), losses) == (1, {"outside_window": 2})

    def test_probe_says_what_is_there(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "t.jsonl", request(root(app__museum="north", events=[score(1.0)])), "{")
        found = backend(tmp_path).probe()
        assert (found.files, found.traces, found.malformed) == (1, 1, 1)
        assert (found.agents, found.scores, found.metadata_keys) == (["guide"], ["solved"], ["app.museum"])


class TestTheTableOfOneAgent:
    def test_other_agents_and_environments_are_left_out_and_counted(self, tmp_path: Path) -> None:
        write_lines(
            tmp_path / "t.jsonl",
            request(root(events=[score(1.0)])),
            request({**root(), "traceId": f"{2:032x}"}, environment="staging"),
            request(chat(0, at=0, trace=3), service="other"),
        )
        spec = an_agent_spec(None, agentName="guide", environment="production")
        table = collect(backend(tmp_path), ALWAYS, spec)
        assert table.traces.num_rows == 1
        assert table.losses == {"other_agent": 1, "other_environment": 1}
        assert table.seen.agents == {"guide": 2, "other": 1}

    @pytest.mark.parametrize(("events", "outcome"), [([0.4], False), ([1.0], True), ([1.0, 0.0], False), ([], None)])
    def test_the_newest_score_of_that_name_judges(
        self, tmp_path: Path, events: list[float], outcome: bool | None
    ) -> None:
        scores = [{**score(v), "timeUnixNano": str(START + n)} for n, v in enumerate(events)]
        write_lines(tmp_path / "t.jsonl", request(root(events=[*scores, score(1.0, "other")])))
        table = collect(backend(tmp_path), ALWAYS, an_agent_spec(None))
        assert table.traces["outcome"].to_pylist() == [outcome]
        assert table.losses.get("unjudged", 0) == (outcome is None)
