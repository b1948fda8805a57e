"""Recorded traces as rows of a store of one's own: a row a step under other names, and the mapping that reads them."""

import json
from collections.abc import Iterator
from typing import Any

from ninefold.traces.otlp_json import attributes_of

MAPPING = {
    "traceId": "run",
    "sessionId": "run_info.conversation",
    "stepId": "id",
    "parentId": "above",
    "kind": "kind",
    "name": "label",
    "toolName": "tool.name",
    "toolCallId": "tool.call",
    "toolArgs": "tool.args",
    "toolResult": "tool.result",
    "input": "asked",
    "output": "answered",
    "systemPrompt": "system",
    "model": "model",
    "tokensIn": "usage.in",
    "tokensOut": "usage.out",
    "startTime": "begun",
    "endTime": "ended",
    "status": "status",
    "errorMessage": "error",
    "outcome": "solved",
    "userId": "run_info.user",
    "agent": "run_info.agent",
    "agentVersion": "run_info.version",
    "environment": "run_info.environment",
    "metadata": [
        *("app.database", "app.question", "app.task", "app.rate", "app.paid", "app.round", "app.tags", "app.städte"),
    ],
}
_OWN = "app."
_KINDS = {"chat": "llm", "execute_tool": "tool", "invoke_agent": "agent"}


def mapped(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one trace."""
    (group,) = request["resourceSpans"]
    resource = attributes_of(group["resource"]["attributes"])
    for span in group["scopeSpans"][0]["spans"]:
        said = attributes_of(span["attributes"])
        events = [attributes_of(e["attributes"]) for e in span.get("events", ())]
        yield {
            "run": span["traceId"],
            "id": span["spanId"],
            "above": span.get("parentSpanId"),
            "kind": _KINDS.get(said.get("gen_ai.operation.name", "")),
            "label": span["name"],
            "begun": int(span["startTimeUnixNano"]),
            "ended": int(span["endTimeUnixNano"]),
            "tool": {
                "name": said.get("gen_ai.tool.name"),
                "call": said.get("gen_ai.tool.call.id"),
                "args": said.get("gen_ai.tool.call.arguments"),
                "result": said.get("gen_ai.tool.call.result"),
            },
            "asked": said.get("gen_ai.input.messages"),
            "answered": said.get("gen_ai.output.messages"),
            "system": _text(said.get("gen_ai.system_instructions")),
            "model": said.get("gen_ai.request.model"),
            "usage": {"in": said.get("gen_ai.usage.input_tokens"), "out": said.get("gen_ai.usage.output_tokens")},
            "status": "error" if span.get("status", {}).get("code") == 2 else "ok",
            "error": span.get("status", {}).get("message") if span.get("status", {}).get("code") == 2 else None,
            "solved": next((e["gen_ai.evaluation.score.value"] for e in events), None),
            "run_info": {
                "conversation": said.get("gen_ai.conversation.id"),
                "user": said.get("user.id"),
                "agent": said.get("gen_ai.agent.name"),
                "version": resource.get("service.version"),
                "environment": resource.get("deployment.environment.name"),
            },
            **{k: v for k, v in said.items() if k.startswith(_OWN)},
        }


def _text(instructions: str | None) -> str | None:
    return instructions and "\n".join(part["content"] for part in json.loads(instructions))
