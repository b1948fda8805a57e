"""The mounted pointer ConfigMap, read anew when it changes.

kubelet updates a ConfigMap volume by writing a fresh folder and swapping the symlink `..data` onto it, so every file
changes at once. `Prompts` therefore looks at one symlink (one system call) each time it is asked, reads all files
below the folder that the link named at that moment, and never sees half of an update. Where there is no such link (a
plain folder, as on a laptop) the stamps of the two JSON files stand in for it. A volume mounted with `subPath` is
never updated by kubelet: mount the whole ConfigMap.

A broken read (a file that is gone, JSON that does not parse) keeps the last good prompts and says so once in the log:
an agent that serves yesterday's prompt is better than one that serves none. Only the first read may fail.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from ninefold.client._render import render

RELEASE = "release.json"
STABLE = "stable.json"

_log = logging.getLogger("ninefold.client")


class PromptsUnavailable(Exception):
    """The folder holds no prompts of Ninefold. The message says what is missing and what to mount."""


@dataclass(frozen=True)
class Rendered:
    """Prompt texts for one session, and the version they came from, for the trace's metadata."""

    components: dict[str, str]
    version: str


@dataclass(frozen=True)
class _Release:
    version: str
    components: Mapping[str, str]
    edits: Sequence[Mapping[str, Any]]


def _are_components(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _are_edits(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(
        isinstance(edit, dict)
        and isinstance(edit.get("component"), str)
        and isinstance(edit.get("text"), str)
        and isinstance(edit.get("when") or {}, dict)
        for edit in value
    )


class Prompts:
    """The prompts of one agent. Safe to share between threads; make one and keep it.

    directory: where the pointer ConfigMap (the Agent's `spec.delivery.configMap`) is mounted.
    Raises PromptsUnavailable when there is nothing to read at the start; later problems keep the last good prompts
    and are shown by `problem`.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._release = self._read()
        self.problem: str | None = None

    def render(self, metadata: Mapping[str, object] | None = None) -> Rendered:
        """The texts for a session with this metadata; None leaves every conditional edit out. Cheap enough to call
        for every session: one system call when nothing has changed."""
        release = self._current()
        return Rendered(render(release.components, release.edits, metadata), release.version)

    @property
    def version(self) -> str:
        """The version that is served now, such as `v3-0a1b2c3d4e`."""
        return self._current().version

    def _current(self) -> _Release:
        stamp = self._look()
        if stamp != self._stamp:
            with self._lock:
                if stamp != self._stamp:
                    self._reload()
                    self._stamp = stamp
        return self._release

    def _reload(self) -> None:
        try:
            self._release = self._read()
            self.problem = None
        except PromptsUnavailable as broken:
            self.problem = str(broken)
            _log.warning("%s Version %s stays in use.", broken, self._release.version)

    def _look(self) -> object:
        """Something that changes when the files do; None when there are none."""
        try:
            return str((self._directory / "..data").readlink())
        except OSError:
            pass
        try:
            stats = [(self._directory / name).stat() for name in (RELEASE, STABLE)]
        except OSError:
            return None
        return [(s.st_mtime_ns, s.st_size, s.st_ino) for s in stats]

    def _read(self) -> _Release:
        data = self._directory / "..data"
        folder = data.resolve() if data.is_symlink() else self._directory
        if not folder.is_dir():
            raise PromptsUnavailable(
                f"There is no folder {self._directory}: mount the ConfigMap that the Agent's "
                f"spec.delivery.configMap names there, as a whole (no subPath)."
            )
        release, stable = self._json(folder / RELEASE), self._json(folder / STABLE)
        components, edits, version = stable.get("components"), stable.get("edits", []), stable.get("version")
        if not isinstance(version, str) or not _are_components(components) or not _are_edits(edits):
            raise PromptsUnavailable(
                f"{self._directory}/{STABLE} does not hold version, components and edits: "
                f"it was not written by this generation of Ninefold."
            )
        if release.get("stable") != version:
            raise PromptsUnavailable(
                f"{self._directory}/{RELEASE} names {release.get('stable')} while {STABLE} holds {version}: "
                f"the folder holds parts of two versions."
            )
        try:
            render(components, edits, {})
        except ValueError as error:
            raise PromptsUnavailable(f"{self._directory}/{STABLE} cannot be rendered: {error}.") from error
        return _Release(version, components, edits)

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise PromptsUnavailable(
                f"{self._directory} has no {path.name}: is this the ConfigMap that the Agent's "
                f"spec.delivery.configMap names, and has the operator written it (kubectl get nfa)?"
            ) from None
        except (OSError, ValueError) as error:
            raise PromptsUnavailable(f"{self._directory}/{path.name} cannot be read: {error}.") from error
        if not isinstance(value, dict):
            raise PromptsUnavailable(f"{self._directory}/{path.name} must hold a JSON object.")
        return value
