"""Graders by rule: what can be said of an answer without a model. Each is a few lines and never errs about its rule."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_QUOTE = re.compile(r"\"([^\"]{3,})\"|“([^”]{3,})”|`([^`]{3,})`")
_IDENTIFIER = re.compile(r"\b[A-Za-z]\w*(?:[_.-]\w+)+\b")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Regex:
    """Good when the pattern is found in the answer (`re` syntax)."""

    pattern: str
    name: str = "regex"

    async def verdict(self, question: str, answer: str) -> bool | None:
        return re.search(self.pattern, answer) is not None


@dataclass(frozen=True)
class Exact:
    """Good when the answer is the expected text for this question, blanks and case aside. None: nothing is expected."""

    expected: Mapping[str, str]
    name: str = "exact"

    async def verdict(self, question: str, answer: str) -> bool | None:
        wanted = self.expected.get(question)
        return None if wanted is None else _plain(answer) == _plain(wanted)


@dataclass(frozen=True)
class Numeric:
    """Good when the last number of the answer is within `tolerance` (absolute) of the expected one."""

    expected: Mapping[str, float]
    tolerance: float = 1e-6
    name: str = "numeric"

    async def verdict(self, question: str, answer: str) -> bool | None:
        wanted = self.expected.get(question)
        if wanted is None:
            return None
        found = _NUMBER.findall(answer)
        return bool(found) and abs(float(found[-1].replace(",", "")) - wanted) <= self.tolerance


@dataclass(frozen=True)
class JsonShape:
    """Good when the answer is JSON of this shape: the keywords type, required, properties, additionalProperties
    (false), items, enum, minItems and minLength of JSON Schema. Others are refused when the grader is made."""

    schema: Mapping[str, Any]
    name: str = "json-schema"

    def __post_init__(self) -> None:
        if unknown := _keywords(self.schema) - _KEYWORDS:
            raise ValueError(
                f"the JSON Schema uses {', '.join(sorted(unknown))}, which this grader does not check: "
                f"use only {', '.join(sorted(_KEYWORDS))}"
            )

    async def verdict(self, question: str, answer: str) -> bool | None:
        try:
            return _fits(json.loads(answer), self.schema)
        except ValueError:
            return False


@dataclass(frozen=True)
class Grounded:
    """Good when every identifier, number and quotation of the answer stands in what supports it.

    `support`: the texts, by question, that the agent was shown: the question, its instructions, results that went well.
    None: nothing is known of this question.
    """

    support: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = "groundedness"

    async def verdict(self, question: str, answer: str) -> bool | None:
        if question not in self.support:
            return None
        return not unsupported(answer, [question, *self.support[question]])


def unsupported(answer: str, support: Sequence[str]) -> set[str]:
    """Identifiers, numbers (of two digits or more) and quotations of an answer that no supporting text holds."""
    text = _plain("\n".join(support))
    quotes = {next(filter(None, match)) for match in _QUOTE.findall(answer)}
    numbers = {n for n in _NUMBER.findall(answer) if len(re.sub(r"\D", "", n)) > 1}
    known = {float(n.replace(",", "")) for n in _NUMBER.findall(text)}
    claimed = {*quotes, *_IDENTIFIER.findall(answer)}
    lost = {one for one in claimed if _plain(one) not in text}
    return lost | {n for n in numbers if float(n.replace(",", "")) not in known}


_KEYWORDS = {"type", "required", "properties", "additionalProperties", "items", "enum", "minItems", "minLength"}


def _keywords(schema: Mapping[str, Any]) -> set[str]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return set(schema).union(*map(_keywords, inner))


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", list(_JSON_TYPES))
    allowed = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is(value, kind) for kind in allowed) or ("enum" in schema and value not in schema["enum"]):
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False and not value.keys() <= properties.keys()
        missing = not set(schema.get("required", ())) <= value.keys()
        return not closed and not missing and all(_fits(value[k], s) for k, s in properties.items() if k in value)
    if isinstance(value, list):
        long_enough = len(value) >= schema.get("minItems", 0)
        return long_enough and all(_fits(item, schema["items"]) for item in value if "items" in schema)
    return not isinstance(value, str) or len(value) >= schema.get("minLength", 0)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _JSON_TYPES[kind])


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
