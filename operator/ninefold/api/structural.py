"""JSON Schema, as pydantic writes it, into the *structural* subset of OpenAPI 3.0 that the API server takes.

The rules are those of the Kubernetes documentation, "Custom Resources: specifying a structural schema":

- `$ref` is inlined and `X | None` becomes an optional X, for an absent field and a null one are the same to us;
- `exclusiveMinimum: n` becomes `minimum: n, exclusiveMinimum: true`; `propertyNames` becomes a CEL rule;
- in a spec, a `pattern` becomes a CEL rule that carries the sentence of its type (`x-sentence`), because the server's
  own message for a pattern is the regular expression, and so do the bounds of a fraction, which its message cuts to
  whole numbers ("less than or equal to 0" for 0.2); in a status, which no user writes, both stay what they are;
- a nested object whose fields all have defaults gets `default: {}`, so that `kubectl get -o yaml` shows what holds;
- a status has no defaults: the operator compares what it would write with what is there.

Whatever is not known here is an error rather than a schema that the server would refuse or, worse, ignore.
"""

import re
from typing import Any

Schema = dict[str, Any]


def structural(document: Schema, status: bool = False) -> Schema:
    """The structural schema of a whole JSON Schema document. Raises ValueError for what has no structural form."""
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
    "x-kubernetes-preserve-unknown-fields",
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
            raise ValueError(f"no rule for {', '.join(sorted(unknown))}: add one to ninefold.api.structural ({source})")
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
