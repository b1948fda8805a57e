"""What must not travel from traces into prompts or to another model: addresses, links, keys, long numbers.

One list of shapes for two uses: `guards` refuses an edit that brings one along, `redacted` masks them in evidence.
"""

import re
from collections.abc import Iterator

URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>)\]}]+|\bwww\.[^\s\"'<>)\]}]+|\b(?:javascript|data|mailto):[^\s]+", re.I
)
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LONG_NUMBER = re.compile(r"(?<![\w.-])(?!\d{4}-\d\d-\d\d\b)\+?\d(?:[ ./()-]{0,2}\d){6,}(?!\w)")
"""More than six digits, also when written in groups: phone numbers, cards, accounts, ids; dates are not."""
SECRET = re.compile(
    r"-----BEGIN [A-Z ]+-----"
    r"|\b(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abpr]|hf|npm|pypi)[-_](?=[\w-]*\d)[\w-]{16,}"
    r"|\bAKIA[0-9A-Z]{12,}"
    r"|\beyJ[\w-]{8,}\.[\w.-]+"
    r"|\b(?:bearer|basic)\s+(?=\S*\d)[\w+/.=-]{12,}"
    r"|\b(?:password|passwd|secret|api[_-]?key|token)\s*[:=]\s*\S{4,}"
    r"|\b[0-9a-f]{24,}\b",
    re.I,
)
RANDOM = re.compile(r"(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{24,}={0,2}")
"""24 or more characters that mix both cases and digits, without a separator: nobody names a thing so."""

SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("secret", SECRET),
    ("secret", RANDOM),
    ("URL", URL),
    ("mail address", MAIL),
    ("number of more than six digits", LONG_NUMBER),
)


def found(text: str) -> Iterator[tuple[str, str]]:
    """What a text holds of these shapes: what it is (`mail address`), and the match."""
    for label, shape in SHAPES:
        for match in shape.finditer(text):
            yield label, match.group()


def redacted(text: str) -> str:
    """The text with every such thing replaced by its label in angle brackets."""
    for label, shape in SHAPES:
        text = shape.sub(f"<{label}>", text)
    return text
