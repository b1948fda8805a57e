"""What is taken out of texts before anything of them is stored or sent: built-in rules, and a user's patterns.

A match becomes the rule's name in angle brackets (`<mail>`), so that a sentence keeps its shape. Numbers are only
taken for cards and IBANs when their check digits are right: order numbers and ids are what agents work with.
"""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ninefold.api.tracebackend import Privacy, RedactionRule
from ninefold.traces.genai import text_of
from ninefold.traces.glance import glance
from ninefold.traces.problem import TracesProblem

Check = Callable[[str], bool]


def luhn(number: str) -> bool:
    """Whether the last digit of a card's number is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in number if c.isdecimal()]
    doubled = [d * 2 - 9 * (d > 4) for d in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616: the rearranged number is 1 modulo 97)."""
    code = re.sub(r"\s", "", text).upper()
    return 15 <= len(code) <= 34 and int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def phone(text: str) -> bool:
    """Whether a candidate can be dialled (ITU-T E.164: at most 15 digits), and is no figure that only looks like it.

    `+1234567.89` is an amount, `+1 2 3 4` are several numbers, and ten digits that begin with 00 are a padded id: 00
    dials abroad, and what it dials there has nine digits or more.
    """
    if text.isdecimal():
        return 11 <= len(text) <= 17
    if re.fullmatch(r"\+\d+\.\d{1,2}", text):
        return False
    number = text.partition("x")[0].removeprefix("00")  # without an extension
    groups = re.findall(r"\d+", number)
    return 8 <= sum(map(len, groups)) <= 15 and sum(len(group) == 1 for group in groups) < 3


def address(text: str) -> bool:
    """Whether it is an IP address: four numbers above 255, as versions have them, are none."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _always(text: str) -> bool:
    return True


_KEY = r"(?:sk|pk|rk|ghp|gho|ghs|ghu|glpat|xox[abprs]|hf|npm|pypi|AKIA|ASIA|AIza|ya29\.|github_pat)"
RULES: dict[RedactionRule, tuple[re.Pattern[str], Check]] = {
    "Token": (
        re.compile(
            r"(?<=\bBearer )[\w.~+/-]{8,}=*|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
            rf"|\b{_KEY}[-_]?[A-Za-z0-9_-]{{16,}}\b"
            r"|(?<=-----BEGIN PRIVATE KEY-----)[\sA-Za-z0-9+/=]+"
        ),
        _always,
    ),
    "Mail": (re.compile(r"[\w.!#$%&*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"), _always),
    "Iban": (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), iban),
    "Card": (re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), luhn),
    "Ip": (
        re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{6,39})(?![\w.:]\w)"),
        address,
    ),
    "Phone": (
        re.compile(
            r"(?<![\w+])(?<!\d )(?<!\d[.,])(?:\+|00)[1-9]\d{0,2}[ ./-]?"
            r"(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){5,12}(?!\w)"
            r"|(?<![\w.-])(?:1[.-])?(?:\(\d{3}\) ?\d{3}-|\d{3}-\d{3}-|\d{3}\.\d{3}\.)\d{4}"
            r"(?:x\d{1,6})?(?![\w-])(?!\.\d)"
        ),
        phone,
    ),
}  # fmt: skip
"""Rules in the order in which they are applied: keys may hold what looks like a number, mail addresses may too."""


class Redactor:
    """Applies the rules of a spec; `losses` counts the texts that each rule changed, as `redacted_<rule>`."""

    def __init__(self, privacy: Privacy, losses: Counter[str]) -> None:
        self._losses = losses
        self._rules = {name: (name.lower(), *rule) for name, rule in RULES.items() if name in privacy.redact}
        self._own: list[tuple[str, re.Pattern[str], Check]] = []
        for own in privacy.patterns:
            try:
                self._own.append((own.name, re.compile(own.pattern), _always))
            except re.error as error:
                raise TracesProblem(
                    "BadPattern",
                    f"the pattern {own.name} is no regular expression ({error.msg} at position {error.pos}): correct "
                    "it in spec.privacy.patterns",
                ) from None
        # Every turn repeats the history, so the same texts come again and again.
        self.text = lru_cache(maxsize=8192)(self._text)

    def _text(self, text: str) -> str:
        found = glance(text)
        for name, pattern, check in [*(rule for n, rule in self._rules.items() if n in found), *self._own]:
            mark = f"<{name}>"

            def replaced(found: re.Match[str], mark: str = mark, check: Check = check) -> str:
                return mark if found[0] and check(found[0]) else found[0]

            cleaned = pattern.sub(replaced, text)
            if cleaned != text:
                self._losses[f"redacted_{name}"] += 1
            text = cleaned
        return text

    def arguments(self, text: str) -> str:
        """Arguments of a call: inside JSON each value by itself, so that what is left is JSON."""
        if text[:1] not in ("{", "["):
            return self.text(text)
        # What no rule sees in the whole, none sees in its values, unless escapes hide it.
        if "\\" not in text and not self._own and self._rules.keys().isdisjoint(glance(text)):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        cleaned = self._value(value)
        return text if cleaned == value else text_of(cleaned) or ""

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        if isinstance(value, int) and abs(value) > 10**7:
            cleaned = self.text(str(value))
            return value if cleaned == str(value) else cleaned
        return value
