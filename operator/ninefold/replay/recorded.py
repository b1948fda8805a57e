"""What a tool answered in the past, found again by the arguments of the call.

Arguments are compared in a canonical form: JSON with sorted keys, without fields that are null or hold the default that
the tool's schema names, whole numbers without a fraction, texts without blanks at their ends. So another order, another
spacing or a spelled-out default is the same call, and another value is another one.

A tool that is called twice alike may answer differently, for the world has moved: the n-th call gets the n-th result,
and later ones the last. What came before a call is not compared. Tools whose results hang on what was written before
belong into the sandbox.

What the case itself has not recorded, other cases may know: of tools that the user has declared `shared` alone, for a
result may be another user's; from cases of the same intent; no errors, for those tell of a moment; and only where all
that is recorded is one and the same result, for otherwise it does hang on something else.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ninefold.api.artifacts import canonical
from ninefold.api.cases import Case, RecordedCall
from ninefold.api.replaying import AgentTool

Known = Mapping[tuple[str, str], RecordedCall]
"""By tool and canonical arguments."""


class Recording:
    """The tool results of one case. One per run of the case: it remembers how often each call was made.

    `others`: what cases like it know, by tool and canonical arguments (`shared`).
    """

    def __init__(
        self,
        calls: Iterable[RecordedCall],
        tools: Mapping[str, AgentTool],
        others: Known | None = None,
    ) -> None:
        self._tools, self._others = tools, others or {}
        self.borrowed = 0
        """Answers that were another case's."""
        self._known: defaultdict[tuple[str, str], list[RecordedCall]] = defaultdict(list)
        for call in calls:
            self._known[_key(call.tool, call.arguments, tools)].append(call)
        self._asked: Counter[tuple[str, str]] = Counter()

    def answer(self, tool: str, arguments: str) -> RecordedCall | None:
        """What the tool answered to these arguments; None where nobody has recorded it."""
        key = _key(tool, arguments, self._tools)
        known = self._known.get(key)
        if known is None:
            self.borrowed += key in self._others
            return self._others.get(key)
        self._asked[key] += 1
        return known[min(self._asked[key], len(known)) - 1]


def shared(cases: Iterable[Case], tools: Mapping[str, AgentTool]) -> dict[str | None, Known]:
    """By intent: the calls of shared tools to which all recordings give one and the same result."""
    said: defaultdict[str | None, defaultdict[tuple[str, str], list[RecordedCall]]]
    said = defaultdict(lambda: defaultdict(list))
    for case in cases:
        for call in case.recorded:
            if call.tool in tools and tools[call.tool].shared:
                said[case.intent][_key(call.tool, call.arguments, tools)].append(call)
    return {
        intent: {
            key: calls[0]
            for key, calls in known.items()
            if len({(c.result, c.error) for c in calls}) == 1 and not calls[0].error
        }
        for intent, known in said.items()
    }


def _key(tool: str, arguments: str, tools: Mapping[str, AgentTool]) -> tuple[str, str]:
    schema = tools[tool].parameters if tool in tools else {}
    return tool, canonical_arguments(arguments, schema)


def canonical_arguments(arguments: str, schema: Mapping[str, Any]) -> str:
    """The canonical form of a call's arguments; what is no JSON object is compared as text."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments.strip()
    if not isinstance(value, dict):
        return canonical(_plain(value)).decode()
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    return canonical({k: _plain(v) for k, v in value.items() if not _is_default(v, known.get(k))}).decode()


def _is_default(value: Any, schema: Any) -> bool:
    return value is None or (
        isinstance(schema, dict) and "default" in schema and _plain(schema["default"]) == _plain(value)
    )


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case str():
            return value.strip()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case _:
            return value


def tool_of(signature: str) -> str:
    """The tool of an action signature: `list_rooms` of `list_rooms(limit=<n>)`."""
    return signature.partition("(")[0].strip()
