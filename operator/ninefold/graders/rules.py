"""Graders by rule: what can be said of an answer without a model. Each is a few lines and never errs about its rule.

A rule is a function of a `Given` with an output: True (good), False (not good), None when this case says nothing to it,
such as a case whose metadata does not hold the expected text.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry

from ninefold.api.graders import Exact, JsonSchema, Numeric, Rule
from ninefold.graders.given import Given
from ninefold.graders.grounding import NUMBER, number, plain, unsupported

Check = Callable[[Given], bool | None]
LONGEST = 20_000
"""Characters of an answer that a pattern is looked for in: a pattern that backtracks must not hold a pod."""


class BadRuleError(ValueError):
    """A rule that cannot be checked; the message is a sentence that says what to write instead."""


def check_of(rule: Rule) -> Check:
    """The check behind a rule of the API. Raises BadRuleError."""
    if rule.regex is not None:
        return _regex(rule.regex.pattern)
    if rule.json_schema is not None:
        return _json_schema(rule.json_schema)
    if rule.exact is not None:
        return _exact(rule.exact)
    if rule.numeric is not None:
        return _numeric(rule.numeric)
    return _grounded


def _regex(pattern: str) -> Check:
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise BadRuleError(f"spec.success.rules: the regex does not compile ({error.msg}): mend its pattern") from None
    return lambda given: wanted.search((given.output or "")[:LONGEST]) is not None


def _exact(rule: Exact) -> Check:
    def check(given: Given) -> bool | None:
        wanted = given.metadata.get(rule.expected_key)
        return None if wanted is None else plain(given.output or "") == plain(str(wanted))

    return check


def _numeric(rule: Numeric) -> Check:
    """The last number of the answer is the one it ends up with."""

    def check(given: Given) -> bool | None:
        expected = NUMBER.search(str(given.metadata.get(rule.expected_key, "")))
        if expected is None:
            return None
        found = NUMBER.findall(given.output or "")
        # The smallest slack that a sum of decimals needs: 0.1 + 0.2 is 0.3.
        slack = max(rule.tolerance, 1e-9)
        return bool(found) and math.isclose(number(found[-1]), number(expected.group()), rel_tol=0, abs_tol=slack)

    return check


def _json_schema(rule: JsonSchema) -> Check:
    kind = validator_for(rule.document, default=Draft202012Validator)
    try:
        kind.check_schema(rule.document)
    except SchemaError as error:
        where = "/".join(map(str, error.path)) or "its top"
        raise BadRuleError(f"spec.success.rules: jsonSchema.schema is no JSON Schema at {where}: mend it") from None
    if outside := next((ref for ref in _references(rule.document) if not ref.startswith("#")), None):
        raise BadRuleError(
            f"spec.success.rules: jsonSchema.schema refers to {outside[:80]!r}, and nothing is fetched: write what is "
            "meant below $defs and refer to #/$defs/<name>"
        )
    validator = kind(rule.document, registry=Registry())

    def check(given: Given) -> bool | None:
        try:
            return bool(validator.is_valid(json.loads(given.output or "")))
        except (ValueError, RecursionError):
            return False

    return check


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [ref for item in schema for ref in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [value for key, value in schema.items() if key in ("$ref", "$dynamicRef") and isinstance(value, str)]
    return own + [ref for value in schema.values() for ref in _references(value)]


def _grounded(given: Given) -> bool | None:
    """None when nothing is known of what the agent was shown: then everything would seem to be invented."""
    if not given.shown:
        return None
    return not unsupported(given.output or "", [given.question, *given.shown])
