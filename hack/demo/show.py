"""What the demo prints at its end: tables, patterns, the prompt diff with evidence, the gate's figures.

Everything comes from the cluster by kubectl, as a user would see it; nothing is taken from the demo's own knowledge.
"""

import json
import re
import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.follow import conditions
from harness.kubectl import Kubectl, Manifest
from ninefold.api.labels import AGENT, ROLE
from ninefold.versions import Version, diff, from_configmap, number_of

KINDS = "nftb,nfa,nfp,nfr"
PIPE_WIDTH = 150
"""Columns where the output is not a terminal's: narrower tables break their sentences into confetti."""


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, soft_wrap=False)


def show(out: Console, kubectl: Kubectl, run: Manifest) -> None:
    """All parts in the order in which a newcomer reads them."""
    _heading(out, f"kubectl get {KINDS} -n {kubectl.namespace}")
    out.print(escape(kubectl.run("get", KINDS)), soft_wrap=True)
    _patterns(out, run)
    agent = run["status"]["agent"]
    _prompt_diff(out, versions(kubectl, agent))
    _gate(out, run)
    _pointer(out, kubectl, agent)


def versions(kubectl: Kubectl, agent: str) -> list[Version]:
    """The agent's versions, oldest first, each checked against its own hash."""
    found = json.loads(kubectl.run("get", "configmaps", "-l", f"{AGENT}={agent},{ROLE}=version", "-o", "json"))
    return sorted((from_configmap(one) for one in found["items"]), key=lambda version: number_of(version.name))


def _patterns(out: Console, run: Manifest) -> None:
    _heading(out, "Where the agent loses (status.patterns of the run)")
    table = Table("pattern", "kind", "nines lost", "failures", "what happens")
    for pattern in run["status"].get("patterns", []):
        table.add_row(
            pattern["id"], pattern["kind"], f"{pattern['ninesLost']:.3f}", str(pattern["failures"]),
            escape(pattern["summary"]),
        )  # fmt: skip
    out.print(table)


def _prompt_diff(out: Console, found: list[Version]) -> None:
    """The parts of the diff; of those that differ only in the value of their condition, the first in full."""
    first, last = found[0], found[-1]
    _heading(out, f"What changed in the prompt: {first.name} → {last.name}")
    colours = {"+": "green", "-": "red", "#": "dim", "=": "bold"}
    alike: Counter[str] = Counter()
    for part in re.split(r"^(?==== )", diff(first.content, last.content), flags=re.M):
        title, _, body = part.partition("\n")
        alike[title.rpartition(" = ")[0] or title] += 1
        if alike[title.rpartition(" = ")[0] or title] == 1:
            for line in part.splitlines():
                out.print(line, style=colours.get(line[:1]), markup=False, soft_wrap=True)
        else:
            added = sum(line.startswith("+") for line in body.splitlines()) - 1
            out.print(f"{title} ({added} lines, as above)", style="bold", markup=False, soft_wrap=True)


def _gate(out: Console, run: Manifest) -> None:
    _heading(out, "Why it was allowed (conditions and figures of the run)")
    table = Table("condition", "status", "reason", "message")
    for condition in conditions(run).values():
        table.add_row(condition["type"], condition["status"], condition["reason"], escape(condition["message"]))
    out.print(table)
    figures: dict[str, Any] = run["status"].get("figures", {})
    out.print(", ".join(f"{name} {_number(value)}" for name, value in figures.items()))


def _pointer(out: Console, kubectl: Kubectl, agent: str) -> None:
    name = kubectl.get("nfa", agent)["spec"]["delivery"]["configMap"]
    data = kubectl.get("configmap", name)["data"]
    _heading(out, f"What pods mount: ConfigMap {name}")
    out.print(f"release.json: {data['release.json']}", markup=False, soft_wrap=True)
    out.print(f"keys: {', '.join(sorted(data))}", markup=False, soft_wrap=True)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _heading(out: Console, text: str) -> None:
    out.print()
    out.rule(f"[bold]{escape(text)}", align="left")
