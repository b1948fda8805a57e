"""Mount paths made real by rewriting text: pure functions.

A container's `volumeMounts` become a table from mount path to real path. `rewrite` replaces a mount
path wherever it stands as a whole path: at the start of a word, after `=` in `--config=/etc/app`,
inside a shell line or a JSON text; never inside a longer name (`/data` in `/database`, `/etc/data`
or `http://host/data`). The longest mount path wins, as nested mounts do.
"""

import re
from collections.abc import Mapping
from pathlib import Path

Mounts = Mapping[str, Path]
"""Absolute mount path, without a slash at the end, to the real file or directory."""


def rewrite(text: str, mounts: Mounts) -> str:
    """The text with every whole mount path replaced by its real path."""
    paths = sorted((path for path in mounts if path != "/"), key=len, reverse=True)
    if not paths:
        return text
    before, after = r"(?<![\w./~-])", r"(?![\w.~-])"
    pattern = before + "(" + "|".join(map(re.escape, paths)) + ")" + after
    return re.sub(pattern, lambda match: str(mounts[match[1]]), text)


def normal(path: str) -> str:
    """A mount path as the table's key: `/data/` and `/data` are one."""
    return path.rstrip("/") or "/"
