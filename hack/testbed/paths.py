"""Where the test bed keeps what outlives a clone.

Compiled binaries and downloaded servers take minutes to make and depend only on pinned versions, so
they live in one cache directory of the user's and are shared by all clones. Everything else (data
directories, logs, keys) belongs to one run and lives where that run says.
"""

import os
from pathlib import Path

HACK = Path(__file__).resolve().parent.parent
"""The folder `hack/` of this clone."""

REPOSITORY = HACK.parent


def cache_directory() -> Path:
    """`$NINEFOLD_CACHE`, else `$XDG_CACHE_HOME/ninefold`, else `~/.cache/ninefold`; not created here."""
    if named := os.environ.get("NINEFOLD_CACHE"):
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "ninefold"
