"""OTLP-JSON lines to a project, as Langfuse maps OpenTelemetry's GenAI spans.

Source: langfuse/langfuse, `packages/shared/src/server/otel/` (OtelIngestionProcessor, ObservationTypeMapper). What
matters to a reader: messages move from the attributes to input and output, with the system instructions put before
them; every other attribute becomes text in the metadata; the root span names the trace; events are not kept. Scores do
not come over OpenTelemetry at all, so a recorded evaluation is written as a client would send it to the scores API.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from standins.langfuse.project import Project, Row

TYPES = {"chat": "GENERATION", "text_completion": "GENERATION", "execute_tool": "TOOL", "invoke_agent": "AGENT"}
_CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
)


def ingest(lines: Iterable[str]) -> Project:
    """The project after these ExportTraceServiceRequests have been sent to it."""
    project = Project()
    traces: dict[str, list[tuple[Row, Row]]] = {}
    for line in lines:
        for group in json.loads(line)["resourceSpans"]:
            resource = _attributes(group["resource"]["attributes"])
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    row = _observation(project, span, resource, scope.get("scope") or {})
                    traces.setdefault(span["traceId"], []).append((span, row))
    for spans in traces.values():
        _trace(project, spans)
    return project


def _observation(project: Project, span: Row, resource: Row, scope: Row) -> Row:
    attributes = _attributes(span["attributes"])
    usage = {
        side: int(attributes[key])
        for side, key in (("input", "gen_ai.usage.input_tokens"), ("output", "gen_ai.usage.output_tokens"))
        if key in attributes
    }
    said = attributes.get("gen_ai.input.messages") or attributes.get("gen_ai.tool.call.arguments")
    kept = {k: _text(v) for k, v in attributes.items() if k not in _CONTENT}
    failed = span["status"].get("code") == 2
    return {
        "id": span["spanId"],
        "traceId": span["traceId"],
        "projectId": project.id,
        "parentObservationId": span.get("parentSpanId"),
        "type": TYPES.get(str(attributes.get("gen_ai.operation.name")), "SPAN"),
        "isRootObservation": not span.get("parentSpanId"),
        "name": span["name"],
        "startTime": iso(int(span["startTimeUnixNano"])),
        "endTime": iso(int(span["endTimeUnixNano"])),
        "level": "ERROR" if failed else "DEFAULT",
        "statusMessage": span["status"].get("message"),
        "version": resource.get("service.version"),
        "environment": resource.get("deployment.environment.name", "default"),
        "bookmarked": False,
        "public": False,
        "userId": attributes.get("user.id"),
        "sessionId": attributes.get("gen_ai.conversation.id"),
        "completionStartTime": None,
        "createdAt": iso(int(span["endTimeUnixNano"])),
        "updatedAt": iso(int(span["endTimeUnixNano"])),
        "input": _with_system(said, attributes.get("gen_ai.system_instructions")),
        "output": attributes.get("gen_ai.output.messages") or attributes.get("gen_ai.tool.call.result"),
        "metadata": {"attributes": kept, "resourceAttributes": resource, "scope": scope},
        "providedModelName": attributes.get("gen_ai.request.model"),
        "internalModelId": None,
        "modelParameters": {},
        "usageDetails": usage | ({"total": sum(usage.values())} if usage else {}),
        "costDetails": {},
        "totalCost": None,
        "usagePricingTierName": None,
        "promptId": None,
        "promptName": None,
        "promptVersion": None,
        "latency": (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9,
        "timeToFirstToken": None,
        "tags": [],
        "release": None,
    }


def _with_system(said: str | None, instructions: str | None) -> str | None:
    if said is None or instructions is None:
        return said
    content = "\n".join(part["content"] for part in json.loads(instructions))
    return json.dumps([{"role": "system", "content": content}, *json.loads(said)], ensure_ascii=False)


def _trace(project: Project, spans: list[tuple[Row, Row]]) -> None:
    root, top = next(((s, r) for s, r in spans if not s.get("parentSpanId")), spans[0])
    session = next((r["sessionId"] for _, r in spans if r["sessionId"]), None)
    scores = [row for span, _ in spans for row in _scores(project, span, top["environment"])]
    for _, row in spans:
        row["traceName"] = top["name"]
        project.observations_v1.append(_older(row))
        project.observations.append({**row, "metadata": flat(row["metadata"])})
    project.scores += scores
    project.scores_v1 += [_older_score(row) for row in scores]
    project.traces.append(
        {
            "id": root["traceId"],
            "htmlPath": f"/project/{project.id}/traces/{root['traceId']}",
            "timestamp": top["startTime"],
            "name": top["name"],
            "input": _json(top["input"]),
            "output": _json(top["output"]),
            "projectId": project.id,
            "sessionId": session,
            "metadata": top["metadata"],
            "externalId": None,
            "userId": top["userId"],
            "release": None,
            "version": top["version"],
            "bookmarked": False,
            "createdAt": top["createdAt"],
            "updatedAt": top["updatedAt"],
            "public": False,
            "tags": [],
            "environment": top["environment"],
            "totalCost": 0,
            "latency": top["latency"],
            "observations": sorted(row["id"] for _, row in spans),
            "scores": sorted(row["id"] for row in scores),
        }
    )


def _scores(project: Project, span: Row, environment: str) -> list[Row]:
    found = []
    for event in span.get("events") or ():
        said = _attributes(event["attributes"])
        if event["name"] == "gen_ai.evaluation.result":
            at = iso(int(event["timeUnixNano"]))
            name = said["gen_ai.evaluation.name"]
            found.append(
                {
                    "id": hashlib.md5(f"{span['spanId']} {name}".encode()).hexdigest(),
                    "projectId": project.id,
                    "name": name,
                    "value": said["gen_ai.evaluation.score.value"],
                    "dataType": "NUMERIC",
                    "source": "API",
                    "timestamp": at,
                    "environment": environment,
                    "createdAt": at,
                    "updatedAt": at,
                    "subject": {"kind": "trace", "id": span["traceId"]},
                }
            )
    return found


def _older(row: Row) -> Row:
    """An observation as the v1 API of version 3 gives it."""
    counted = row["usageDetails"]
    usage = {side: counted.get(side, 0) for side in ("input", "output", "total")}
    older = {k: v for k, v in row.items() if k not in _ONLY_V4}
    return older | {
        "input": _json(row["input"]),
        "output": _json(row["output"]),
        "model": row["providedModelName"],
        "usage": usage | {"unit": "TOKENS" if counted else None},
        "unit": "TOKENS" if counted else None,
        "promptTokens": usage["input"],
        "completionTokens": usage["output"],
        "totalTokens": usage["total"],
        **dict.fromkeys(("modelId", "inputPrice", "outputPrice", "totalPrice")),
        **dict.fromkeys(("calculatedInputCost", "calculatedOutputCost", "calculatedTotalCost")),
    }


_ONLY_V4 = (
    "isRootObservation",
    "userId",
    "sessionId",
    "traceName",
    "release",
    "tags",
    "bookmarked",
    "public",
    "providedModelName",
    "internalModelId",
    "usagePricingTierName",
    "totalCost",
)


def _older_score(row: Row) -> Row:
    older = {k: v for k, v in row.items() if k != "subject"}
    absent = dict.fromkeys(("authorUserId", "comment", "configId", "queueId", "observationId", "sessionId"))
    return older | absent | {"traceId": row["subject"]["id"], "datasetRunId": None, "metadata": {}, "stringValue": None}


def flat(metadata: Row, prefix: str = "") -> dict[str, str]:
    """Nested metadata under dotted names, every value as text, as version 4 stores it."""
    out: dict[str, str] = {}
    for key, value in metadata.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = _text(value)
    return out


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def iso(nanos: int) -> str:
    """Milliseconds are what Langfuse keeps."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=nanos // 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _json(value: str | None) -> Any:
    """The older servers parse what is JSON."""
    try:
        return json.loads(value) if value is not None else None
    except (ValueError, RecursionError):
        return value


def _attributes(pairs: list[Row]) -> Row:
    return {pair["key"]: _value(pair["value"]) for pair in pairs}


def _value(value: Row) -> Any:
    """As JavaScript has it, in which a number without a fraction is a whole one."""
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue":
        return [_value(item) for item in inner["values"]]
    if kind == "doubleValue" and float(inner).is_integer():
        return int(inner)
    return int(inner) if kind == "intValue" else inner
