"""Which image names this machine can stand in for, and with what environment.

A local node has no image store. An `Image` says how a container of that name runs as a process here;
the mapping travels as JSON, since the node is a process of its own.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.paths import REPOSITORY


@dataclass(frozen=True)
class Image:
    """How containers of one image name run: what `ENV`, `WORKDIR` and `ENTRYPOINT` would say."""

    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    entrypoint: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Image":
        return cls(
            environment=dict(value.get("environment", {})),
            directory=value.get("directory"),
            entrypoint=tuple(value.get("entrypoint", ())),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


SEARCH_PATH = os.pathsep.join(
    [
        str(Path(sys.executable).parent),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
)
"""`python` in a pod is the interpreter that runs the node, with all that its venv holds."""

PYTHON = Image(environment={"PYTHONPATH": str(REPOSITORY / "operator"), "PYTHONUNBUFFERED": "1"})

DEFAULT_IMAGES: dict[str, Image] = {
    "python": PYTHON,
    "ninefold-operator": PYTHON,
    "ninefold-jobs": PYTHON,
}


def find_image(images: Mapping[str, Image], reference: str) -> Image | None:
    """The entry for an image reference: by the whole reference, without tag, or by its last word.

    `registry.example/team/ninefold-jobs:0.1` is found as itself, as `registry.example/team/ninefold-jobs`
    and as `ninefold-jobs`. A key with a tag therefore fits that tag alone.
    """
    untagged = reference.partition("@")[0]
    head, slash, tail = untagged.rpartition("/")
    repository = head + slash + tail.partition(":")[0]
    for name in (reference, repository, repository.rpartition("/")[2]):
        if name in images:
            return images[name]
    return None
