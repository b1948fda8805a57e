"""Which backend a spec names: the one place that knows them all.

Each is imported only when it is named, so that a pod that reads files loads no HTTP client.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces.backend import Backend
from ninefold.traces.private import Private
from ninefold.traces.problem import TracesProblem


def open_backend(
    spec: TraceBackendSpec, root: Path | None, secrets: Mapping[str, str] | None = None, agent: str | None = None
) -> Private:
    """The backend that a spec names, over the volume mounted at `root`, with the credentials in `secrets`.

    Its traces come cleaned as `spec.privacy` says, whatever the backend (`ninefold.traces.private`).
    `secrets` are the environment variables that the Job was given by reference; absent, those of this process.
    `agent`: the name of the agent whose traces are wanted. It is a hint: a server that can leave the others where they
    are tells no more of them than their names, every other backend streams them all.
    """
    given = os.environ if secrets is None else secrets
    # A name that a rule may have made (`<mail>`) is none that the server knows.
    wanted = None if agent is None or "<" in agent else agent
    return Private(_open(spec, root, given, wanted), spec.privacy, given)


def _open(spec: TraceBackendSpec, root: Path | None, given: Mapping[str, str], agent: str | None) -> Backend:
    if spec.langfuse is not None and spec.langfuse.export is None:
        from ninefold.traces.langfuse import LangfuseApi  # noqa: PLC0415

        return LangfuseApi(spec.langfuse, given)
    if spec.otlp is not None:
        from ninefold.traces.otlp import OtlpFiles  # noqa: PLC0415

        return OtlpFiles(spec.otlp, root, given)
    if spec.plugin is not None:
        from ninefold.traces.plugin import open_plugin  # noqa: PLC0415

        return open_plugin(spec.plugin, root, given)
    return _open_server(spec, given, agent) or _open_files(spec, root)


def _open_server(spec: TraceBackendSpec, secrets: Mapping[str, str], agent: str | None) -> Backend | None:
    if spec.clickhouse is not None:
        from ninefold.traces.clickhouse import ClickHouse  # noqa: PLC0415

        return ClickHouse(spec.clickhouse, secrets, agent)
    if spec.tempo is not None:
        from ninefold.traces.tempo import Tempo  # noqa: PLC0415

        return Tempo(spec.tempo, secrets)
    if spec.jaeger is not None:
        from ninefold.traces.jaeger import Jaeger  # noqa: PLC0415

        return Jaeger(spec.jaeger, secrets)
    return None


def _open_files(spec: TraceBackendSpec, root: Path | None) -> Backend:
    from ninefold.traces.files import MappedFiles  # noqa: PLC0415
    from ninefold.traces.langfuse import LangfuseFiles  # noqa: PLC0415

    if root is None:
        raise TracesProblem("TracesNotMounted", "the volume of the TraceBackend is not mounted in the pod")
    if spec.langfuse is not None and spec.langfuse.export is not None:
        return LangfuseFiles(spec.langfuse, root)
    if spec.files is not None:
        return MappedFiles(spec.files, root)
    raise TracesProblem("NoBackend", "the TraceBackend names no source: write one in its spec, such as otlp")
