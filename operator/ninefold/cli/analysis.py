"""`analyze` and `explain`: the analysis of a Job pod, on a laptop, without a cluster.

Both read the manifests that a user applies (TraceBackend, Agent, and an OptimizationPolicy if there is one) from one
YAML file, and the traces from a folder that stands for the volume.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ninefold.api.agent import AgentSpec
from ninefold.api.base import parse_duration, rfc3339
from ninefold.api.findings import AnalysisReport
from ninefold.api.inputs import RunInputs, VersionContent
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.cli.failure import CliFailure

if TYPE_CHECKING:
    from ninefold.traces import StepTable

Manifests = Annotated[Path, typer.Option("--backend", help="YAML with a TraceBackend, an Agent, and maybe a policy.")]
Traces = Annotated[Path, typer.Option("--traces", help="Folder that stands for the backend's volume.")]


def analyze(
    backend: Manifests,
    out: Annotated[Path, typer.Option("--out", help="Where the report is written, as JSON.")],
    traces: Traces = Path(),
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Folder that keeps what was read, so that the next analysis goes on.")
    ] = None,
) -> None:
    """Analyse traces here, as a Job would, and write the report."""
    inputs = read_inputs(backend)
    with _progress() as progress:
        step = progress.add_task("reading traces", total=None)

        def tell(what: str, done: int, of: int) -> None:
            progress.update(step, description=_TOLD[what], completed=done, total=of)

        report = _analyzed(inputs, traces, keep, tell)
    out.write_bytes(report.to_bytes())
    shown = report.success
    typer.echo(f"{report.traces} traces, success {shown.rate:.1%} ({shown.low:.1%} to {shown.high:.1%})")
    for number, pattern in enumerate(report.patterns, 1):
        typer.echo(f"#{number} {pattern.kind}, {pattern.nines_lost.estimate:.2f} nines: {pattern.summary}")
    if report.budget:
        typer.echo(report.budget.message)


def explain(
    trace: Annotated[str, typer.Argument(help="Id of a trace.")], backend: Manifests, traces: Traces = Path()
) -> None:
    """Show what each step of a trace changed, against what usually becomes of such states."""
    inputs = read_inputs(backend)
    with _progress() as progress:
        progress.add_task("reading traces")
        table = _collect(inputs, traces)
        from ninefold.analysis.decisions.explain import explained  # noqa: PLC0415 - the engine is heavy, and an extra

        lines = explained(table, trace, inputs.policy.analysis.intent_key)
    if lines is None:
        raise CliFailure(f"no judged trace {trace} was found below {traces}: write the id of one that was.")
    for line in lines:
        typer.echo(line)


_INTERRUPTED = 130
"""Exit code of a command that Ctrl-C has ended, as shells have it."""
_TOLD = {"objects": "opening files", "slices": "reading traces", "analysis": "analysing"}


def _analyzed(
    inputs: RunInputs, root: Path, keep: Path | None, tell: Callable[[str, int, int], None]
) -> AnalysisReport:
    from ninefold.analysis import EngineError  # noqa: PLC0415 - the engine is heavy, and an extra
    from ninefold.jobs.analyze import analyze_window  # noqa: PLC0415 - the engine is heavy, and an extra
    from ninefold.jobs.keeping import FolderParts, MemoryParts, Names  # noqa: PLC0415
    from ninefold.traces import TracesProblem, open_backend  # noqa: PLC0415

    kept = FolderParts(keep / Names.of(inputs).reading) if keep is not None else MemoryParts()
    try:
        return analyze_window(
            open_backend(inputs.backend, root, agent=inputs.agent.traces.agent_name), inputs, kept, tell
        ).report
    except TracesProblem as problem:
        raise CliFailure(problem.message) from None
    except EngineError as error:
        raise CliFailure(f"{error}.") from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def read_inputs(path: Path) -> RunInputs:
    """What a run would be given. Raises CliFailure with what is missing."""
    try:
        documents = [d for d in yaml.safe_load_all(path.read_text(encoding="utf-8")) if isinstance(d, dict)]
        found: dict[str, Any] = {str(d.get("kind")): d.get("spec") for d in documents}
        backend = TraceBackendSpec.model_validate(_need(found, "TraceBackend", path))
        agent = AgentSpec.model_validate(_need(found, "Agent", path))
        policy = OptimizationPolicySpec.model_validate(
            found.get("OptimizationPolicy") or {"agentRef": {"name": "agent"}}
        )
        now = datetime.now(UTC)
        start = datetime.fromtimestamp(0, UTC) if _is_files(backend) else now - parse_duration(policy.traces.window)
        return RunInputs(
            run="local",
            run_uid="local",
            namespace="local",
            agent_name="agent",
            agent_uid="local",
            agent=agent,
            policy=policy,
            backend=backend,
            baseline=VersionContent(components={c.name: c.text or "" for c in agent.components}),
            window_start=rfc3339(start),
            window_end=rfc3339(now),
        )
    except OSError as error:
        raise CliFailure(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CliFailure(f"{path} is no YAML: write the manifests that you would apply into it.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CliFailure(f"{path}: {place}: {first['msg']}") from None


def _is_files(backend: TraceBackendSpec) -> bool:
    """Whether the traces lie at hand: then all of them are read, whatever the policy's window."""
    export = backend.langfuse.export if backend.langfuse is not None else None
    return (backend.otlp or backend.files or export) is not None


def _need(found: dict[str, Any], kind: str, path: Path) -> Any:
    if kind not in found:
        raise CliFailure(f"{path} holds no {kind}: write one into it, as you would apply it.")
    return found[kind]


def _collect(inputs: RunInputs, root: Path) -> "StepTable":
    from ninefold.traces import TracesProblem, Window, check, collect, open_backend  # noqa: PLC0415 - an extra

    try:
        window = Window.of(inputs.window_start, inputs.window_end)
        table = collect(open_backend(inputs.backend, root, agent=inputs.agent.traces.agent_name), window, inputs.agent)
        check(table, inputs)
    except TracesProblem as problem:
        raise CliFailure(problem.message) from None
    return table


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
