"""The pydantic models as CustomResourceDefinitions: `python -m ninefold.api.crds DIRECTORY ... [--check]`.

pydantic speaks JSON Schema 2020-12, the API server a *structural* subset of OpenAPI 3.0 (Kubernetes documentation,
"Custom Resources: specifying a structural schema"), so the one is rewritten into the other:

- `$ref` is inlined and `X | None` becomes an optional X, for an absent field and a null one are the same to us;
- `exclusiveMinimum: n` becomes `minimum: n, exclusiveMinimum: true`; `propertyNames` becomes a CEL rule;
- in a spec, a `pattern` becomes a CEL rule that carries the sentence of its type (`x-sentence`), because the server's
  own message for a pattern is the regular expression, and so do the bounds of a fraction, which its message cuts to
  whole numbers ("less than or equal to 0" for 0.2); in a status, which no user writes, both stay what they are;
- a nested object whose fields all have defaults gets `default: {}`, so that `kubectl get -o yaml` shows what holds;
- a status has no defaults: the operator compares what it would write with what is there.

Whatever is not known here is an error rather than a schema that the server would refuse or, worse, ignore.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ninefold.api.agent import AgentSpec, AgentStatus
from ninefold.api.base import GROUP, VERSION, Model
from ninefold.api.policy import OptimizationPolicySpec, OptimizationPolicyStatus
from ninefold.api.run import OptimizationRunSpec, OptimizationRunStatus
from ninefold.api.tracebackend import TraceBackendSpec, TraceBackendStatus

Schema = dict[str, Any]

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
    """The structural schema of one model; `status` as the module says: without defaults, patterns left as they are."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _Rewriter(document.get("$defs", {}), status).rewrite(document)


KEPT = (
    "type",
    "format",
    "description",
    "default",
    "enum",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-int-or-string",
)
"""Keys that mean the same in both languages, in the order in which they are written."""

REWRITTEN = (
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "pattern",
    "properties",
    "propertyNames",
    "title",
    "x-kubernetes-validations",
    "x-sentence",
)


class _Rewriter:
    """JSON Schema to structural schema; one walk, no state but the definitions."""

    def __init__(self, definitions: dict[str, Schema], status: bool) -> None:
        self._definitions = definitions
        self._status = status

    def rewrite(self, source: Schema) -> Schema:
        source = self._resolved(source)
        if unknown := set(source) - set(KEPT) - set(REWRITTEN):
            raise ValueError(f"no rule for {', '.join(sorted(unknown))} in {source}: add one to ninefold.api.crds")
        target = {key: source[key] for key in KEPT if key in source}
        if "description" in target:  # a docstring is broken where its source line ends
            target["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", target["description"])
        if target.get("type") == "integer":
            target["format"] = "int64"
        if source.get("x-kubernetes-int-or-string"):
            target.pop("type")
            target["anyOf"] = [{"type": "integer"}, {"type": "string"}]
        if source.get("type") == "number" and not self._status:
            target = {key: value for key, value in target.items() if key not in {"minimum", "maximum"}}
        else:
            self._exclusive_bounds(source, target)
        if "items" in source:
            target["items"] = self.rewrite(source["items"])
        if isinstance(source.get("additionalProperties"), dict):
            target["additionalProperties"] = self.rewrite(source["additionalProperties"])
        if "properties" in source:
            required = source.get("required", [])
            target["properties"] = {
                name: self.rewrite(child) if name in required else self._optional(child)
                for name, child in source["properties"].items()
            }
        if rules := self._rules(source):
            target["x-kubernetes-validations"] = rules
        if "pattern" in source and self._status:
            target["pattern"] = source["pattern"]
        if self._status:
            target.pop("default", None)
        return target

    def _resolved(self, source: Schema) -> Schema:
        """Follow `$ref` and `X | None`; what stands beside them (a field's description) wins over what they name."""
        while "$ref" in source or "anyOf" in source:
            beside = {key: value for key, value in source.items() if key not in {"$ref", "anyOf"}}
            if "$ref" in source:
                named = self._definitions[source["$ref"].removeprefix("#/$defs/")]
            else:
                options = [option for option in source["anyOf"] if option != {"type": "null"}]
                if len(options) != 1:
                    raise ValueError(f"a union of several types is not structural: {source}")
                named = options[0]
            source = named | beside
        return {key: value for key, value in source.items() if (key, value) != ("default", None)}

    def _optional(self, source: Schema) -> Schema:
        """An optional property; an object that the model always makes is there by default, with its own defaults."""
        child = self.rewrite(source)
        if "$ref" in source and not self._status:
            child["default"] = {}
        return child

    def _exclusive_bounds(self, source: Schema, target: Schema) -> None:
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in source:
                target[bound] = source[exclusive]
                target[exclusive] = True

    def _rules(self, source: Schema) -> list[Schema]:
        rules = [
            {"rule": rule["rule"], "message": rule["message"]} for rule in source.get("x-kubernetes-validations", [])
        ]
        if "pattern" in source and not self._status:
            text = "string(self)" if source.get("x-kubernetes-int-or-string") else "self"
            rules.append({"rule": f"{text}.matches(r'{source['pattern']}')", "message": source["x-sentence"]})
        if source.get("type") == "number" and not self._status:
            rules += _fraction(source)
        keys = source.get("propertyNames", {})
        if "enum" in keys:
            allowed = f"{', '.join(keys['enum'][:-1])} and {keys['enum'][-1]}"
            rule = f"self.all(k, k in {keys['enum']})"
            rules.append({"rule": rule, "message": f"the keys here are {allowed}: write one of them"})
        if "maxLength" in keys:
            sizes = f"{keys.get('minLength', 0)} to {keys['maxLength']}"
            rule = f"self.all(k, k.size() >= {keys.get('minLength', 0)} && k.size() <= {keys['maxLength']})"
            rules.append({"rule": rule, "message": f"write keys of {sizes} characters"})
        return rules


BOUNDS = (
    ("minimum", ">=", "at least"),
    ("exclusiveMinimum", ">", "above"),
    ("maximum", "<=", "at most"),
    ("exclusiveMaximum", "<", "below"),
)


def _fraction(source: Schema) -> list[Schema]:
    """The bounds of a number as one rule: `self > 0.0 && self <= 0.2`, "write a number above 0 and at most 0.2"."""
    bounds = [(sign, words, source[key]) for key, sign, words in BOUNDS if key in source]
    if not bounds:
        return []
    rule = " && ".join(f"self {sign} {float(bound)}" for sign, _, bound in bounds)
    return [
        {"rule": rule, "message": "write a number " + " and ".join(f"{words} {bound:g}" for _, words, bound in bounds)}
    ]


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
