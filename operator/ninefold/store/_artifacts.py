"""Artifacts: what a Job hands to the operator and to later Jobs.

The bytes go here, their digest goes through the Job's termination message. A reader takes only bytes that match the
digest, so whoever can write to Redis can lose an artifact for us but cannot put words into a Job's mouth.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from redis.asyncio import Redis

from ninefold.api.artifacts import sha256
from ninefold.api.run import ArtifactRef
from ninefold.store._errors import ArtifactError

ARTIFACT_TTL = timedelta(days=7)
"""Longer than any run computes. A run that waits for approval needs no artifact: the candidate is in a ConfigMap."""

MAX_ARTIFACT_BYTES = 64 * 2**20
"""The operator reads artifacts into its memory; 10,000 replayed cases under 18 arms are about 30 MiB."""


class ArtifactStore:
    """Writes artifacts and reads them back by reference. Errors: `ArtifactError`, `StoreUnavailableError`."""

    def __init__(self, redis: Redis, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._redis = redis
        self._errors = errors

    async def put(self, key: str, data: bytes, ttl: timedelta = ARTIFACT_TTL) -> ArtifactRef:
        """Store the bytes and return what belongs into the termination message. Overwrites: a retried pod did."""
        if len(data) > MAX_ARTIFACT_BYTES:
            raise ArtifactError(
                "ArtifactTooLarge",
                f"the result has {len(data):,} bytes, more than the {MAX_ARTIFACT_BYTES:,} that are handed over: "
                "lower spec.replay.maxCases or spec.traces.window of the policy",
            )
        with self._errors():
            await self._redis.set(key, data, ex=ttl)
        return ArtifactRef(artifact=key, sha256=sha256(data), bytes=len(data))

    async def get(self, ref: ArtifactRef) -> bytes:
        """The bytes behind a reference, checked against its length and digest.

        That the reference names the key that was expected is the caller's to check: here any key is as good.
        """
        if ref.bytes > MAX_ARTIFACT_BYTES:
            raise ArtifactError("ArtifactForged", f"artifact {ref.artifact} claims {ref.bytes:,} bytes: refused")
        with self._errors():
            # One byte more than promised tells a longer value without loading it.
            data = await self._redis.getrange(ref.artifact, 0, ref.bytes)
        assert isinstance(data, bytes)  # the connection decodes nothing
        if not data:
            raise ArtifactError(
                "ArtifactLost", f"artifact {ref.artifact} is no longer in Redis (expired, evicted or flushed)"
            )
        if len(data) != ref.bytes or sha256(data) != ref.sha256:
            raise ArtifactError(
                "ArtifactForged",
                f"artifact {ref.artifact} does not match the digest sha256:{ref.sha256[:12]}… that its pod reported: "
                "refused",
            )
        return data
