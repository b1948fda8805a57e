"""Readers of one's own: Python entry points of the group `ninefold.trace_backends`, installed in the Jobs' image.

An entry point names a callable `(PluginContext) -> Backend`. What it returns is held to the protocol of
`ninefold.traces.backend`; `ninefold.traces.conformance` tells its author whether it does. Whoever may build the Jobs'
image may run code in it, so a plugin is trusted with what its TraceBackend gives it, and with nothing more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from ninefold.api.tracebackend import LOGIN_PREFIX, PluginSource
from ninefold.traces.backend import Backend
from ninefold.traces.problem import TracesProblem

GROUP = "ninefold.trace_backends"


@dataclass(frozen=True)
class PluginContext:
    """What a plugin is given: `config` as it stands in the spec, `secrets` by its own names, `root` its volume."""

    config: Mapping[str, str]
    secrets: Mapping[str, str]
    root: Path | None


Plugin = Callable[[PluginContext], Backend]


def open_plugin(source: PluginSource, root: Path | None, secrets: Mapping[str, str]) -> Backend:
    """The backend that the entry point makes. TracesProblem when there is none of this name, or it cannot be loaded."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if source.name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise TracesProblem(
            "NoSuchPlugin",
            f"the Jobs' image has no trace backend {source.name} (it has {there}): install the package into the image, "
            f"with an entry point of the group {GROUP}",
        )
    try:
        plugin: Plugin = found[source.name].load()
    except Exception as error:
        raise TracesProblem(
            "PluginBroken", f"the plugin {source.name} cannot be loaded ({type(error).__name__}): see the Job's log"
        ) from error
    given = {name: secrets.get(f"{LOGIN_PREFIX}PLUGIN_{name}", "") for name in source.secrets}
    return plugin(PluginContext(source.config, given, root))
