"""A shard as OTLP-JSON lines, as an OpenTelemetry collector's file exporter writes them: one request a trace."""

import json
from collections.abc import Iterator
from typing import Any

from bench.analysis.planted.tables import Tables

_ROOT = "f" * 16


def lines(t: Tables) -> Iterator[str]:
    """One line a trace; its spans are the agent's, one a tool call, and the last chat."""
    asked = dict(zip(t.messages["hash"].to_pylist(), t.messages["content"].to_pylist(), strict=True))
    columns = ["trace_id", "step_id", "kind", "tool_name", "tool_args", "tool_result", "messages_in_hash"]
    columns += ["message_out", "start_ts", "end_ts", "error_message"]
    steps = t.steps.select(columns).set_column(8, "start_ts", t.steps["start_ts"].cast("int64"))
    rows = iter(steps.set_column(9, "end_ts", t.steps["end_ts"].cast("int64")).to_pylist())
    traces = t.traces.set_column(7, "start_ts", t.traces["start_ts"].cast("int64"))
    traces = traces.set_column(8, "end_ts", t.traces["end_ts"].cast("int64"))
    row = next(rows, None)
    for trace in traces.to_pylist():
        own = []
        while row is not None and row["trace_id"] == trace["trace_id"]:
            own.append(row)
            row = next(rows, None)
        yield _request(trace, own, asked)


def _request(trace: dict[str, Any], steps: list[dict[str, Any]], asked: dict[str, str]) -> str:
    user = next((asked[s["messages_in_hash"]] for s in steps if s["messages_in_hash"]), "")
    spoken = json.dumps([{"role": "user", "parts": [{"type": "text", "content": user}]}])
    root = _span(trace, _ROOT, (trace["start_ts"], trace["end_ts"]), "invoke_agent", {
        "gen_ai.agent.name": trace["agent"],
        "gen_ai.agent.version": trace["agent_version"],
        "gen_ai.conversation.id": trace["session_id"],
        **json.loads(trace["metadata"]),
    })  # fmt: skip
    root["events"] = [
        {
            "name": "gen_ai.evaluation.result",
            "timeUnixNano": str(trace["end_ts"]),
            "attributes": [
                *_attributes({"gen_ai.evaluation.name": "solved"}),
                {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": trace["outcome_score"]}},
            ],
        }
    ]
    spans = [root]
    for step in steps:
        said: dict[str, str | None] = {"gen_ai.input.messages": spoken}
        if step["kind"] == "llm":
            answer = [{"role": "assistant", "parts": [{"type": "text", "content": step["message_out"]}]}]
            said |= {"gen_ai.output.messages": json.dumps(answer), "gen_ai.request.model": "model"}
        else:
            said = {
                "gen_ai.tool.name": step["tool_name"],
                "gen_ai.tool.call.arguments": step["tool_args"],
                "gen_ai.tool.call.result": step["tool_result"],
                "error.type": "ToolError" if step["error_message"] else None,
            }
        operation = "chat" if step["kind"] == "llm" else "execute_tool"
        span = _span(trace, step["step_id"], (step["start_ts"], step["end_ts"]), operation, said)
        span["parentSpanId"] = _ROOT
        if step["error_message"]:
            span["status"] = {"code": 2, "message": step["error_message"]}
        spans.append(span)
    resource = {"attributes": _attributes({"service.name": "desk", "deployment.environment.name": "production"})}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})


def _span(trace: dict[str, Any], span_id: str, when: tuple[int, int], operation: str, said: dict[str, Any]) -> Any:
    return {
        "traceId": trace["trace_id"],
        "spanId": span_id,
        "name": operation,
        "startTimeUnixNano": str(when[0]),
        "endTimeUnixNano": str(when[1]),
        "attributes": _attributes({"gen_ai.operation.name": operation, **said}),
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": k, "value": {"stringValue": v}} for k, v in values.items() if v is not None]
