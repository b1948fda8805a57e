"""Text as a reader takes it: what a guard looks for may be written so that only a person, or a model, sees it.

Three disguises are taken off: letters of other alphabets or widths that look like Latin ones (Unicode TR 39 calls them
confusables; the ones that look alike in common fonts are listed here), marks and fillers that have no width, and links
and addresses that are written apart (`https : //`, `evil[.]example`, `eve (at) …`). The result is for matching alone;
it is never written into a prompt.
"""

import re
import unicodedata

_LOOKS_LIKE = {
    **dict(zip("аеорсухкнтвміјѕԁһԛԝ", "aeopcyxkhtbmijsdhqw", strict=True)),
    **dict(zip("АЕОРСУХКНТВМІЈЅԌԚԜ", "AEOPCYXKHTBMIJSGQW", strict=True)),
    **dict(zip("αεορυνικτχγωη", "aeopuviktxywn", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict(zip("ıɑɡⅼ", "iagl", strict=True)),
    **dict.fromkeys("‐‑‒–—−", "-"),
    **dict.fromkeys("․。｡", "."),
    **dict.fromkeys("∕⁄⧸", "/"),
    "꞉": ":",
    "∶": ":",
}
_AS_LATIN = str.maketrans(_LOOKS_LIKE)
BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\u17b4\u17b5")
"""Letters and symbols that nobody sees; Unicode does not class them as format characters."""
_APART = (
    (re.compile(r"\s*[\[({<]\s*(?:\.|dot)\s*[\])}>]\s*", re.I), "."),
    (re.compile(r"\s*[\[({<]\s*(?:@|at)\s*[\])}>]\s*", re.I), "@"),
    (re.compile(r"(?<=\w)\s+at\s+(?=\w+\s+dot\s+\w)", re.I), "@"),
    (re.compile(r"(?<=\w)\s+dot\s+(?=\w)", re.I), "."),
    (re.compile(r"\bhxxp", re.I), "http"),
    (re.compile(r"\bh\W{0,2}t\W{0,2}t\W{0,2}p(?:\W{0,2}s)?\s*:\s*/\s*/\s*", re.I), "http://"),
    (re.compile(r"\bw\s*w\s*w\s*\.\s*", re.I), "www."),
)
_RUN = re.compile(r"[^\W\d_]+|[^\w\s]")
_WORD = re.compile(r"[^\W\d_]+")


def as_read(text: str) -> str:
    """The text in the letters that it shows, without what has no width."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
    shown = "".join(c for c in plain if c not in BLANKS and unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    return _RUN.sub(_latin, shown)


def _latin(run: re.Match[str]) -> str:
    """In Latin letters if it looks wholly so; a word of another language stays what it is."""
    latin = run.group().translate(_AS_LATIN)
    return latin if latin.isascii() else run.group()


def joined(text: str) -> str:
    """The text with links and addresses that are written apart put together."""
    for apart, whole in _APART:
        text = apart.sub(whole, text)
    return text


def mixes_scripts(text: str) -> bool:
    """Whether a word mixes Latin letters with Cyrillic or Greek ones: no language writes so."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        scripts = {unicodedata.name(c, "").partition(" ")[0] for c in word}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}:
            return True
    return False
