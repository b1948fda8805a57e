"""A sketch of an output: enough to see whether two are alike, too little to read either.

The `SIZE` smallest of the 32-bit hashes of its word pairs (bottom-k sketch, Broder 1997). Equal outputs have equal
sketches, and the share of hashes that two have in common estimates the share of word pairs.
"""

import hashlib
import json
from typing import Any

SIZE = 8
MAX_CHARACTERS = 20_000


def sketch(output: Any) -> list[int]:
    """Of a text, or of any JSON value; empty for none and for an empty text."""
    if output is None:
        return []
    text = output if isinstance(output, str) else json.dumps(output, sort_keys=True, ensure_ascii=False)
    words = text[:MAX_CHARACTERS].lower().split()
    pairs = [" ".join(words[n : n + 2]) for n in range(max(1, len(words) - 1))] if words else []
    return sorted({_hash(pair) for pair in pairs})[:SIZE]


def _hash(pair: str) -> int:
    return int.from_bytes(hashlib.blake2b(pair.encode("utf-8", "surrogatepass"), digest_size=4).digest())
