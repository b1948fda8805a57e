"""Which attribute says what, where several conventions have a word for it: the first one that is there.

Four generations of attributes are met in practice, often on one span, as frameworks write several at once:

1. the GenAI conventions of OpenTelemetry (`gen_ai.*`; open-telemetry/semantic-conventions, `docs/gen-ai/`);
2. their previous generation (`gen_ai.prompt`, `gen_ai.completion`, `gen_ai.system`, `gen_ai.usage.prompt_tokens`, and
   span events such as `gen_ai.user.message`; release 1.36 and older);
3. OpenInference (`llm.*`, `tool.*`, `input.value`; Arize-ai/openinference, `spec/semantic_conventions.md`);
4. OpenLLMetry (`traceloop.*`, `gen_ai.prompt.0.content`; traceloop/openllmetry, `semconv_ai`).

The order of the four is the order of every row here: a field that a newer convention leaves out is taken from an
older one, so one table serves all. `docs/backends/conventions.md` shows it to users, and a test holds them together.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ninefold.traces.model import StepKind

FIELDS: dict[str, tuple[str, ...]] = {
    "session": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
    ),
    "user": ("user.id", "enduser.id", "traceloop.association.properties.user_id"),
    "agent": ("gen_ai.agent.name", "agent.name", "traceloop.workflow.name"),
    "agent version": ("gen_ai.agent.version",),
    "model": ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
    "prompt name": ("gen_ai.prompt.name", "llm.prompt_template.name", "traceloop.prompt.key"),
    "prompt version": ("gen_ai.prompt.version", "llm.prompt_template.version", "traceloop.prompt.version"),
    "tokens in": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "tokens out": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "cost": ("gen_ai.usage.cost", "llm.cost.total"),
    "tool": ("gen_ai.tool.name", "tool.name", "tool_call.function.name"),
    "tool call": ("gen_ai.tool.call.id", "tool_call.id", "tool.id"),
    "tool arguments": ("gen_ai.tool.call.arguments", "tool_call.function.arguments"),
    "tool result": ("gen_ai.tool.call.result",),
    "system prompt": ("gen_ai.system_instructions", "gen_ai.request.instructions"),
}
"""Field to attributes, first wins. What a span of kind tool says in `input.value` and `output.value` (OpenInference) or
`traceloop.entity.input` and `.output` (OpenLLMetry) are its arguments and its result where no row above says so."""

_OPERATIONS: dict[str, StepKind] = {
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
}
_OPENINFERENCE: dict[str, StepKind] = {"llm": "llm", "tool": "tool", "agent": "agent"}
_TRACELOOP: dict[str, StepKind] = {"tool": "tool", "agent": "agent", "workflow": "agent"}
KINDS: tuple[tuple[str, dict[str, StepKind]], ...] = (
    ("gen_ai.operation.name", _OPERATIONS),
    ("openinference.span.kind", _OPENINFERENCE),
    ("llm.request.type", {"chat": "llm", "completion": "llm"}),
    ("traceloop.span.kind", _TRACELOOP),
)
"""What tells the kind of a step, first wins. A value that is not listed (embeddings, chain, task) is no decision."""
_LLM_WITHOUT_A_NAME = ("gen_ai.system", "gen_ai.provider.name")
"""The previous generation's model calls often name no operation: a provider and a model make one."""

CONSUMED = (
    "gen_ai.", "error.type", "session.id", "user.", "enduser.", "otel.", "telemetry.", "llm.", "openinference.",
    "input.", "output.", "tool.", "tool_call.", "agent.name", "traceloop.", "exception.", "span.kind", "internal.",
)  # fmt: skip
"""Attributes that have a meaning of their own; all others of the root span are the trace's metadata."""
ASSOCIATION = "traceloop.association.properties."
"""OpenLLMetry's own metadata."""


_PLACES = {name: (field, place) for field, row in FIELDS.items() for place, name in enumerate(row)}
"""Attribute to the field that it is about and its place in the row: a span has fewer attributes than there are."""


class Shape(NamedTuple):
    """What the names of a span's attributes say, whatever their values."""

    fields: tuple[tuple[str, tuple[str, ...]], ...]
    """Each field that has attributes, with those in the order of its row."""
    own: tuple[str, ...]
    """Attributes that are metadata."""
    said: tuple[tuple[str, str], ...]
    """Those that OpenLLMetry marks as metadata, with the names that the team gave them."""


_MOST_NAMES = 64
"""Attributes of a span above which its shape is not remembered: lists that became names (`gen_ai.prompt.0.role`)."""


def shape_of(attributes: Mapping[str, Any]) -> Shape:
    """The shape of a span's attributes; instrumentation writes the same few again and again."""
    names = tuple(attributes)
    return _remembered(names) if len(names) <= _MOST_NAMES else _shape(names)


def _shape(names: tuple[str, ...]) -> Shape:
    fields: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        if name in _PLACES:
            field, place = _PLACES[name]
            fields.setdefault(field, []).append((place, name))
    said = [n for n in names if n.startswith(ASSOCIATION) and n not in _PLACES]
    return Shape(
        tuple((field, tuple(name for _, name in sorted(own))) for field, own in fields.items()),
        tuple(name for name in names if not name.startswith(CONSUMED)),
        tuple((name, name.removeprefix(ASSOCIATION)) for name in said),
    )


_remembered = lru_cache(maxsize=1024)(_shape)


def fields_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Of each field the first attribute of its row that is there and not empty."""
    found: dict[str, Any] = {}
    for field, names in shape_of(attributes).fields:
        for name in names:
            value = attributes[name]
            if value is not None and value != "":
                found[field] = value
                break
    return found


def kind_of(attributes: Mapping[str, Any], fields: Mapping[str, Any]) -> StepKind | None:
    """The kind of step, or None where the span is none of an agent's decisions. `fields` as `fields_of` gives them."""
    for name, kinds in KINDS:
        if (value := attributes.get(name)) is not None:
            return kinds.get(str(value).lower())
    if any(name in attributes for name in _LLM_WITHOUT_A_NAME) and fields.get("model"):
        return "llm"
    return "tool" if fields.get("tool") else None


def metadata_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What is left when all that has a meaning is taken: the words of the team that runs the agent."""
    shape = shape_of(attributes)
    said = {name: attributes[attribute] for attribute, name in shape.said}
    return said | {name: attributes[name] for name in shape.own}
