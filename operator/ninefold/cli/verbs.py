"""The verbs. Each reads, asks a pure function, and prints."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ninefold.api import labels
from ninefold.cli import analysis
from ninefold.cli.cluster import Cluster
from ninefold.cli.failure import CliFailure
from ninefold.cli.files import checked, edits_patch, read_configmap, read_version
from ninefold.client import Prompts, PromptsUnavailable
from ninefold.versions import TamperedVersion, diff, from_configmap, rendered

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Source = Annotated[str, typer.Argument(help="YAML file of a version ConfigMap; - is standard input.")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace. Default: that of the context.")]
Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", "-m", help="KEY=VALUE of the session, as often as needed.")
]


app.command()(analysis.analyze)
app.command()(analysis.explain)


@app.callback()
def _verbs() -> None:
    """Look at versions of an agent's prompts, take them into Git, approve them."""


@app.command()
def render(
    source: Annotated[str, typer.Argument(help="Folder where the pointer ConfigMap is mounted, or a version's YAML.")],
    metadata: Metadata = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Show what an agent reads in a session with this metadata; without any: what Mount serves."""
    case = _metadata(metadata or [])
    if Path(source).is_dir():
        try:
            shown = Prompts(source).render(case)
        except PromptsUnavailable as error:
            raise CliFailure(str(error)) from None
        components, version = shown.components, shown.version
    else:
        read = read_version(source)
        components, version = rendered(read.content, case), read.name
    if as_json:
        typer.echo(json.dumps({"version": version, "components": components}, ensure_ascii=False))
        return
    typer.echo(f"# {version}")
    for name, text in components.items():
        typer.echo(f"=== {name}\n{text}")


@app.command("diff")
def show_diff(old: Source, new: Source) -> None:
    """Show what changes from one version to another, with the evidence. Exit code 0, whatever it is."""
    typer.echo(diff(read_version(old).content, read_version(new).content) or "No difference.")


@app.command()
def export(source: Source, namespace: Namespace = None) -> None:
    """Print the patch of the Agent that takes a version's edits into Git (kustomize, kubectl patch --type merge)."""
    configmap = read_configmap(source)
    agent = (configmap["metadata"].get("labels") or {}).get(labels.AGENT)
    version = checked(configmap)
    typer.echo(f"# {version.name}: edits that Git takes in become part of the baseline; the text agents read stays.")
    typer.echo(edits_patch(str(agent), namespace, version), nl=False)


@app.command()
def approve(
    run: Annotated[str, typer.Argument(help="Name of the OptimizationRun.")],
    candidate: Annotated[
        str | None, typer.Option("--hash", help="Approve only if the candidate has this hash.")
    ] = None,
    namespace: Namespace = None,
) -> None:
    """Approve the version that a run has proved."""
    cluster = Cluster(namespace)
    found = (cluster.run(run).get("status") or {}).get("candidate") or {}
    if not found.get("version"):
        raise CliFailure(f"run {run} has no proved version to approve: wait for its condition ReplayPassed=True.")
    if candidate is not None and candidate != found["hash"]:
        raise CliFailure(f"run {run} has proved {found['version']}, not {candidate}: nothing was approved.")
    cluster.approve(run, found["hash"])
    typer.echo(f"{found['version']} is approved: {found.get('summary', '')}")


@app.command()
def versions(
    agent: Annotated[str, typer.Argument(help="Name of the Agent.")],
    namespace: Namespace = None,
) -> None:
    """List the versions of an Agent, oldest first, each checked against its hash."""
    cluster = Cluster(namespace)
    rows = []
    for configmap in cluster.versions(agent):
        try:
            version = from_configmap(configmap)
        except TamperedVersion:
            rows.append((0, [configmap["metadata"]["name"], "TAMPERED", "", "", "", ""]))
            continue
        gate = version.gate
        gain = f"{gate.gain * 100:+.1f} pp" if gate and gate.gain is not None else ""
        pairs = str(gate.pairs) if gate and gate.pairs is not None else ""
        row = [version.name, version.stage, str(len(version.content.edits)), gain, pairs, version.lineage.parent or ""]
        rows.append((version.number, row))
    if not rows:
        raise CliFailure(f"Agent {agent} has no versions in namespace {cluster.namespace}.")
    _table([["VERSION", "STAGE", "EDITS", "GAIN", "PAIRS", "PARENT"], *(row for _, row in sorted(rows))])


def _metadata(pairs: list[str]) -> dict[str, object] | None:
    case: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise CliFailure(f"--metadata {pair} has no value: write KEY=VALUE.")
        case[key] = value
    return case or None


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        typer.echo("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
