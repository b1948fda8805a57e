"""Lists that were flattened into attribute names: `gen_ai.prompt.0.role`, `gen_ai.prompt.0.tool_calls.1.name`."""

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8
"""Parts of a name below its prefix. Names are others' data: a deeper one is kept whole as the last part."""


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The objects below `prefix.<number>`, in the order of their numbers, inner numbered objects as lists."""
    tree: dict[str, Any] = {}
    start = prefix + "."
    for name, value in attributes.items():
        if not name.startswith(start):
            continue
        *path, leaf = name[len(start) :].split(".", MAX_DEPTH)
        node = tree
        for part in path:
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            node = inner
        else:
            node.setdefault(leaf, value)
    listed = _lists(tree)
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isdecimal() for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}
