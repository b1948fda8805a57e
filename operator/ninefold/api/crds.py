"""The four kinds as CustomResourceDefinitions: `python -m ninefold.api.crds DIRECTORY ... [--check]`.

The models are the one source: what is said here beside them are names, the columns of `kubectl get`, and the bound on
an object's name. `ninefold.api.structural` turns the models' JSON Schema into what the API server takes.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from ninefold.api.agent import AgentSpec, AgentStatus
from ninefold.api.base import GROUP, VERSION, Model
from ninefold.api.policy import OptimizationPolicySpec, OptimizationPolicyStatus
from ninefold.api.run import OptimizationRunSpec, OptimizationRunStatus
from ninefold.api.structural import Schema, structural
from ninefold.api.tracebackend import TraceBackendSpec, TraceBackendStatus

READY = '.status.conditions[?(@.type=="Ready")]'
NAME_RULES = [
    {
        "rule": "self.metadata.name.size() <= 40",
        "message": "metadata.name must have at most 40 characters: names of Jobs and ConfigMaps are made from it",
    },
    {
        "rule": "!self.metadata.name.contains('.')",
        "message": "metadata.name must not contain a dot: write lower-case letters, digits and '-'",
    },
]


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`. `wide` ones show with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    wide: bool = False

    def wire(self) -> Schema:
        column = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            column["description"] = self.description
        return column | ({"priority": 1} if self.wide else {})


AGE = Column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True)
class Kind:
    """One custom resource: its names, models and columns."""

    kind: str
    plural: str
    short: str
    spec: type[Model]
    status: type[Model]
    columns: tuple[Column, ...]


KINDS = (
    Kind(
        "TraceBackend",
        "tracebackends",
        "nftb",
        TraceBackendSpec,
        TraceBackendStatus,
        (
            Column("Ready", f"{READY}.status"),
            Column("Traces", ".status.capabilities.traces", "integer", "Traces in the part that the probe read."),
            Column("Reason", f"{READY}.reason"),
            AGE,
            Column("Message", f"{READY}.message", wide=True),
        ),
    ),
    Kind(
        "Agent",
        "agents",
        "nfa",
        AgentSpec,
        AgentStatus,
        (
            Column("Stable", ".status.stableVersion", description="The version that the pointer serves."),
            Column("Success", ".status.success.rate", "number", "Share of judged traces that succeeded."),
            Column("Nines", ".status.success.nines", "number", "-log10(1 - lower bound of success)."),
            Column("Ready", f"{READY}.status"),
            AGE,
            Column("Message", f"{READY}.message", wide=True),
        ),
    ),
    Kind(
        "OptimizationPolicy",
        "optimizationpolicies",
        "nfp",
        OptimizationPolicySpec,
        OptimizationPolicyStatus,
        (
            Column("Agent", ".spec.agentRef.name"),
            Column("Mode", ".spec.mode"),
            Column("Last Run", ".status.lastRun"),
            Column("Result", ".status.lastResult", description="Reason with which the newest ended run ended."),
            # Not of type date: kubectl prints the age of a date, and a time to come has none.
            Column("Next", ".status.nextRunTime", description="When the schedule is due next."),
            Column("Ready", f"{READY}.status"),
            AGE,
            Column("Message", f"{READY}.message", wide=True),
        ),
    ),
    Kind(
        "OptimizationRun",
        "optimizationruns",
        "nfr",
        OptimizationRunSpec,
        OptimizationRunStatus,
        (
            Column("Agent", ".status.agent"),
            Column("Phase", ".status.phase"),
            Column("Baseline", ".status.figures.baseline", "number", "Success of the baseline on the sealed cases."),
            Column("Candidate", ".status.figures.candidate", "number", "Success of the candidate on them."),
            Column("Gain", ".status.figures.gain", "number", "Difference, paired."),
            Column("Succeeded", '.status.conditions[?(@.type=="Succeeded")].status'),
            AGE,
            Column("Policy", ".spec.policyRef.name", wide=True),
            Column("Message", '.status.conditions[?(@.type=="Succeeded")].message', wide=True),
        ),
    ),
)


def crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of one kind, as the API server takes it."""
    root: Schema = {
        "type": "object",
        "description": schema_of(kind.spec)["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}.", "maxLength": 253},
            "kind": {"type": "string", "description": f"{kind.kind}.", "maxLength": 63},
            "metadata": {"type": "object"},
            "spec": schema_of(kind.spec),
            "status": schema_of(kind.status, status=True),
        },
        "x-kubernetes-validations": NAME_RULES,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "ninefold"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["ninefold"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.wire() for column in kind.columns],
                    "schema": {"openAPIV3Schema": root},
                }
            ],
        },
    }


def schema_of(model: type[Model], status: bool = False) -> Schema:
    """The structural schema of one model. A `status` has no defaults, and its patterns stay patterns."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    return structural(document, status)


def rendered() -> dict[str, str]:
    """File name to content, for every kind. The same models give the same bytes."""
    head = "# Made by `make crds` from operator/ninefold/api; change the models there.\n"
    return {
        f"{GROUP}_{kind.plural}.yaml": head + yaml.safe_dump(crd(kind), sort_keys=False, width=120, allow_unicode=True)
        for kind in KINDS
    }


def drift(directory: Path) -> list[str]:
    """What differs between a directory and the models, as sentences; empty when they agree."""
    wanted = rendered()
    found = {path.name: path.read_text() for path in directory.glob("*.yaml")}
    return [
        *(f"{directory / name} is missing" for name in sorted(wanted.keys() - found.keys())),
        *(f"{directory / name} belongs to no kind" for name in sorted(found.keys() - wanted.keys())),
        *(
            f"{directory / name} is not what the models say"
            for name in sorted(wanted)
            if found.get(name, wanted[name]) != wanted[name]
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ninefold.api.crds", description="Write the CRDs, or compare them.")
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    options = parser.parse_args(arguments)
    if options.check:
        differences = [line for directory in options.directories for line in drift(directory)]
        sys.stderr.writelines(f"{line}: run `make crds` and commit what it wrote\n" for line in differences)
        return 1 if differences else 0
    for directory in options.directories:
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.glob("*.yaml"):
            path.unlink()
        for name, text in rendered().items():
            (directory / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
