"""Which built-in rules a text may match at all, by a glance: most texts hold nothing to redact, and regexes are slow.

A glance looks for what any match must contain: an at sign, a run of thirteen digits but for separators. It works on
*shapes*, in which all characters of one kind are the same, so that runs are found by searching for a constant, at the
speed of memory. It may say yes in vain and never no in vain (a test compares it with the rules). Shapes know ASCII
alone: a text with any other character is looked at by every rule, for the rules take the digits of all scripts.
"""

import re
import string

from ninefold.api.tracebackend import RedactionRule

_DIGITS, _CAPITALS = string.digits.encode(), string.ascii_uppercase.encode()
_WORD = string.ascii_letters.encode() + _DIGITS + b"_-"
_WORDS = bytes.maketrans(_WORD, b"w" * len(_WORD))
_KINDS = bytes.maketrans(_DIGITS + _CAPITALS, b"0" * 10 + b"A" * 26)
_ONES = bytes.maketrans(_DIGITS[1:], b"1" * 9)
_SEPARATORS = b" ./()-"
"""What may stand between the digits of one number."""
_HEXTETS = re.compile(rb":[0-9A-Fa-f]*:")
_KEYS = (b"sk", b"pk", b"rk", b"gh", b"glpat", b"xox", b"hf", b"npm", b"pypi", b"AKIA", b"ASIA", b"AIza", b"ya29",
         b"github_pat")  # fmt: skip
_KEY, _CARD, _PHONE = b"w" * 16, b"0" * 13, b"0" * 7

Rules = frozenset[RedactionRule]
ALL: Rules = frozenset({"Token", "Mail", "Iban", "Card", "Ip", "Phone"})
NONE: Rules = frozenset()


def glance(text: str) -> Rules:
    """The rules that may match somewhere in the text."""
    if not text.isascii():
        return ALL
    data = text.encode()
    found: list[RedactionRule] = []
    if b"@" in data:
        found.append("Mail")
    if b"Bearer " in data or b"eyJ" in data or b"PRIVATE KEY" in data or _keyed(data):
        found.append("Token")
    kinds = data.translate(_KINDS)
    if b".0." in kinds or b".00." in kinds or b".000." in kinds or _HEXTETS.search(data):
        found.append("Ip")
    if b"AA00" in kinds:
        found.append("Iban")
    joined = kinds.translate(None, _SEPARATORS)
    if _CARD in joined:
        found.append("Card")
    if _PHONE in joined and _dialled(data, kinds):
        found.append("Phone")
    return frozenset(found) if found else NONE


def _keyed(data: bytes) -> bool:
    return _KEY in data.translate(_WORDS) and any(key in data for key in _KEYS)


def _dialled(data: bytes, kinds: bytes) -> bool:
    ones = data.translate(_ONES)
    return b"+1" in ones or b"001" in ones or b"000-0000" in kinds or b"000.0000" in kinds
