"""The rows of one Langfuse trace as a `TraceRecord`.

A row is `{"observation": ...}`, `{"trace": ...}` or `{"score": ...}`. Observations have the field names of Langfuse 4
(`GET /api/public/v2/observations`), which carry the trace's name, user and session on every observation; older servers
keep these on the trace, and `trace` brings them.

What was sent over OpenTelemetry keeps its attributes in the metadata: nested under `attributes` in older servers,
flattened to `attributes.gen_ai.agent.name` in version 4, every value as text. They are read by `conventions.apply`,
like those of any other OpenTelemetry backend. What was sent by Langfuse's own SDK names its tools by type (`TOOL`)
or, from old SDKs, not at all: a `SPAN` whose name the model has called as a tool in this trace is taken for that call.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ninefold.traces import conventions, genai
from ninefold.traces.assemble import assemble
from ninefold.traces.files import nanos
from ninefold.traces.langfuse.chat import messages_of, parsed
from ninefold.traces.model import Score, Span, StepKind, TraceRecord

Row = dict[str, Any]

_KINDS: dict[str, StepKind] = {"GENERATION": "llm", "TOOL": "tool", "AGENT": "agent"}
_OTEL = ("attributes", "resourceAttributes", "scope")
"""Keys of the metadata that Langfuse's own ingestion of OpenTelemetry writes."""
_INVOKE = "invoke_agent "
"""How OpenTelemetry begins the name of an agent's span, which becomes that of the trace."""
_ENVELOPE = "langfuse."
"""Attributes by which Langfuse's SDKs carry what stands in fields of the observation."""


def current(row: Row) -> Row:
    """An observation of the v1 API under the names of version 4."""
    details, usage = row.get("usageDetails"), row.get("usage")
    if not details and isinstance(usage, dict) and usage.get("unit") == "TOKENS":  # else characters, seconds, nothing
        details = {"input": usage.get("input"), "output": usage.get("output")}
    cost = row.get("calculatedTotalCost") or mapping(row.get("costDetails")).get("total")
    return {**row, "providedModelName": row.get("model"), "usageDetails": details, "totalCost": cost}


def record_of(rows: list[Row], losses: Counter[str]) -> TraceRecord | None:
    """The trace of these rows, or None when there is neither an observation nor a trace among them."""
    trace: Row = next((r["trace"] for r in rows if "trace" in r), {})
    observations = _newest([r["observation"] for r in rows if "observation" in r], "duplicate_observations", losses)
    scores = _newest([r["score"] for r in rows if "score" in r], "duplicate_scores", losses)
    spans = [s for s in (_span(o, trace, losses) for o in observations) if s is not None]
    if not spans and trace:
        spans = [s for s in [_alone(trace, losses)] if s is not None]
    if not spans:
        return None
    _name_tools(spans)
    record = assemble(spans, losses)
    told = [score for score in (score_of(s, losses) for s in scores) if score is not None]
    own, _, _ = metadata_of(trace.get("metadata"))
    return replace(
        record,
        metadata={**own, **record.metadata},
        scores=tuple(sorted([*record.scores, *told], key=lambda s: (s.ts, s.name, s.step_id or ""))),
    )


def _newest(rows: list[Row], loss: str, losses: Counter[str]) -> list[Row]:
    """One row an id, the one that was updated last: pages shift while they are read, and exports overlap."""
    found: dict[str, Row] = {}
    for row in rows:
        key = str(row.get("id"))
        if key in found:
            losses[loss] += 1
        if key not in found or _updated(row) > _updated(found[key]):
            found[key] = row
    return list(found.values())


def _updated(row: Row) -> int:
    return nanos(row.get("updatedAt")) or 0


def _span(row: Row, trace: Row, losses: Counter[str]) -> Span | None:
    start = nanos(row.get("startTime"))
    if start is None or not row.get("id"):
        losses["malformed_rows"] += 1
        return None
    span = Span(str(row["traceId"]), str(row["id"]), start, nanos(row.get("endTime")) or start)
    own, attributes, resource = metadata_of(row.get("metadata"))
    conventions.apply(span, {k: v for k, v in attributes.items() if not k.startswith(_ENVELOPE)}, (), losses)
    span.kind = _KINDS.get(str(row.get("type")), span.kind)
    span.parent_id = text(row.get("parentObservationId"))
    span.name = text(row.get("name")) or ""
    span.failed = span.failed or row.get("level") == "ERROR"
    span.error_message = text(row.get("statusMessage")) if span.failed else None
    span.metadata = {**span.metadata, **own}
    span.session_id = text(row.get("sessionId")) or text(trace.get("sessionId")) or span.session_id
    span.user_id = text(row.get("userId")) or text(trace.get("userId")) or span.user_id
    version = text(row.get("version")) or text(trace.get("version"))
    release = text(row.get("release")) or text(trace.get("release"))
    span.agent_version = span.agent_version or version or release
    # Only where no span names its agent: the name of a trace is what Langfuse's users tell agents apart by.
    named = text(row.get("traceName")) or text(trace.get("name"))
    span.service = named.removeprefix(_INVOKE) if named else text(resource.get("service.name"))
    span.environment = text(row.get("environment")) or text(trace.get("environment"))
    span.model = text(row.get("providedModelName")) or span.model
    span.prompt_name = text(row.get("promptName"))
    span.prompt_version = text(row.get("promptVersion"))
    span.cost_usd = genai.number(row.get("totalCost") or None, losses)
    _content(span, row, losses)
    return span


def _content(span: Span, row: Row, losses: Counter[str]) -> None:
    said, answer = row.get("input"), row.get("output")
    if span.kind == "llm":
        usage = mapping(row.get("usageDetails"))
        span.tokens_in, span.tokens_out = _tokens(usage, "input"), _tokens(usage, "output")
        span.messages = messages_of(said, "user", losses)
        if span.messages and span.messages[0].role in ("system", "developer"):
            span.system = None  # the conversation opens with it
        span.output = messages_of(answer, "assistant", losses)
        if not span.messages and not span.output:
            losses["llm_without_content"] += 1
    elif span.kind == "agent":
        span.messages = messages_of(said, "user", losses)
        span.output = messages_of(answer, "assistant", losses)
    else:
        # Also of a plain span, which may yet turn out to be a tool's.
        span.args = genai.text_of(said) if said not in (None, "") else None
        span.result = genai.result_of(answer) or None


def _name_tools(spans: list[Span]) -> None:
    called = {c.name for s in spans for m in s.output for c in m.calls}
    for span in spans:
        if span.kind is None and span.name in called:
            span.kind = "tool"
        if span.kind == "tool":
            span.tool_name = span.tool_name or span.name or None


def _alone(trace: Row, losses: Counter[str]) -> Span | None:
    """A trace without observations, as some log one call: its input and output are one step."""
    own = {"type": "AGENT", "startTime": trace.get("timestamp"), "traceId": trace.get("id"), "metadata": None}
    return _span({**trace, **own}, trace, losses)


def score_of(row: Row, losses: Counter[str]) -> Score | None:
    """A score. Categories and texts have no number: their value is None, whatever number Langfuse fills in."""
    ts = nanos(row.get("timestamp"))
    if ts is None or not row.get("name"):
        losses["malformed_rows"] += 1
        return None
    plain = str(row.get("dataType") or "NUMERIC") in ("NUMERIC", "BOOLEAN")
    value = genai.number(row.get("value"), losses) if plain else None
    return Score(str(row["name"]), value, str(row.get("source") or "API"), ts, text(row.get("observationId")))


def metadata_of(value: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The user's metadata, the span's attributes and the resource's, from metadata nested or flattened."""
    found: dict[str, dict[str, Any]] = {key: {} for key in _OTEL}
    own: dict[str, Any] = {}
    for key, item in mapping(value).items():
        head, _, rest = key.partition(".")
        if key in found and isinstance(nested := parsed(item), dict):
            found[key].update(nested)
        elif head in found and rest:
            found[head][rest] = item
        elif key not in found:
            own[key] = item
    return own, found["attributes"], found["resourceAttributes"]


def mapping(value: Any) -> Mapping[str, Any]:
    """An object that came as one, as JSON text, or as the pairs of a Parquet map."""
    value = parsed(value)
    if isinstance(value, list) and all(isinstance(p, list | tuple) and len(p) == 2 for p in value):
        return {str(k): v for k, v in value}
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """Text, or None for what is absent; exports write absent text as an empty one."""
    return str(value) if value is not None and value != "" else None


def _tokens(usage: Mapping[str, Any], side: str) -> int | None:
    """Tokens of one side: `input` and what is counted beside it, such as `input_cached_tokens`."""
    counts = [v for k, v in usage.items() if k.startswith(side) and isinstance(v, int) and not isinstance(v, bool)]
    return genai.count_of(sum(counts)) if counts else None
