"""Error signatures: the same mistake gets the same name, whatever it was made with.

An error's text names the thing that was wrong ("Table 'x' doesn't exist"), so two errors of one kind rarely have
equal texts. The signature masks what varies: quoted strings, numbers, ids, addresses. What is left is short and
stable, and safe to show, for it no longer carries the user's data.
"""

import json
import re

MAX_SIGNATURE = 160
"""Characters. Longer texts are stack traces or echoed inputs, whose ends vary."""

_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.I), "<url>"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<mail>"),
    # A quote opens where no word precedes it and closes where none follows: the apostrophe in "doesn't" does neither.
    (re.compile(r"(?<!\w)'.*?'(?!\w)|\".*?\"(?!\w)|`[^`]*`|“.*?”|«.*?»", re.S), "<str>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w{4,}\b|\b[0-9a-f]{16,}\b", re.I), "<id>"),
    (re.compile(r"(?<![\w<])[-+]?\d[\d_.,:]*"), "<n>"),
    # Whatever an unbalanced quote has left behind.
    (re.compile(r"(<str>)(?:[\s,]*['\"`]+|\s*<str>)+"), r"\1"),
)
_BLANKS = re.compile(r"\s+")
_CUT_MASK = re.compile(r"<\w*$")
_LOOKS_WRONG = re.compile(r"\W{0,3}(?:\w*error|\w*exception|traceback|failed|failure|fatal)\b", re.I)


def signature_of(message: str) -> str:
    """The stable name of an error text: its first paragraph, masked, at most MAX_SIGNATURE characters."""
    text = message.strip().split("\n\n", 1)[0][:2000]
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return _CUT_MASK.sub("", _BLANKS.sub(" ", text).strip()[:MAX_SIGNATURE]).rstrip()


def looks_like_error(result: str) -> bool:
    """Whether a tool's result tells of a failure although its span says nothing, as most instrumentation leaves it.

    True for a JSON object with a truthy `error` or `isError` (Model Context Protocol, "CallToolResult"), and for text
    that opens with a word such as "Error", "ValueError" or "Traceback".
    """
    head = result.lstrip()[:200]
    if head.startswith("{"):
        if "rror" not in result and "\\" not in result:
            return False  # neither key is in it, nor an escape that could hide one
        try:
            value = json.loads(result)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and bool(value.get("error") or value.get("isError"))
    return bool(_LOOKS_WRONG.match(head))
