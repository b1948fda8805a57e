"""What a tool answered in the past, found again by the arguments of the call.

Arguments are compared in a canonical form: JSON with sorted keys, without fields that are null or hold the default that
the tool's schema names, whole numbers without a fraction, texts without blanks at their ends. So another order, another
spacing or a spelled-out default is the same call, and another value is another one.

A tool that is called twice alike may answer differently, for the world has moved: the n-th call gets the n-th result,
and later ones the last. What came before a call is not compared. Tools whose results hang on what was written before
belong into the sandbox.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ninefold.api.agent import AgentTool
from ninefold.api.artifacts import RecordedCall, canonical


class Recording:
    """The tool results of one case. One per run of the case: it remembers how often each call was made."""

    def __init__(self, calls: Iterable[RecordedCall], tools: Mapping[str, AgentTool]) -> None:
        self._tools = tools
        self._known: defaultdict[tuple[str, str], list[RecordedCall]] = defaultdict(list)
        for call in calls:
            self._known[self._key(call.tool, call.arguments)].append(call)
        self._asked: Counter[tuple[str, str]] = Counter()

    def answer(self, tool: str, arguments: str) -> RecordedCall | None:
        """What the tool answered to these arguments; None where nobody has recorded it."""
        key = self._key(tool, arguments)
        known = self._known.get(key)
        if known is None:
            return None
        self._asked[key] += 1
        return known[min(self._asked[key], len(known)) - 1]

    def _key(self, tool: str, arguments: str) -> tuple[str, str]:
        schema = self._tools[tool].parameters if tool in self._tools else {}
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
