"""Buckets: which traces may teach, which may choose, which may judge.

A session falls by a salted hash of its id into one of three buckets and stays there for good: `analysis` (60 %) is what
patterns, facts and proposals are made of, `selection` (20 %) races candidates, `sealed` (20 %) is opened once for the
one that was chosen. The hash depends on nothing but the session, so any process, shard or later cycle agrees, and a
conversation never stands on both sides.
"""

import hashlib

from ninefold.api.cases import Bucket

SALT = b"ninefold/bucket/1"
"""Keeps our split independent of splits that others make by hashing the same ids. Changing it unseals every case."""
_EDGES: tuple[tuple[float, Bucket], ...] = ((0.6, "analysis"), (0.8, "selection"), (1.0, "sealed"))


def unit_hash(text: str, salt: bytes = SALT) -> float:
    """A stable number in [0, 1) for a text: the first 64 bits of a salted BLAKE2b."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest()
    return int.from_bytes(digest, "big") / 2**64


def bucket_of(session_id: str) -> Bucket:
    """The bucket of a session, the same for ever."""
    place = unit_hash(session_id)
    return next((bucket for edge, bucket in _EDGES if place < edge), "sealed")
