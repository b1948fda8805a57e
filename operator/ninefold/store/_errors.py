"""What can go wrong with the store, as sentences that may stand in a condition: no password, no content."""

from typing import Literal


class StoreError(Exception):
    """Base. `reason` is one word in CamelCase for a condition, `message` a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StoreUnavailableError(StoreError):
    """Redis did not do what was asked. Trying again later is right; nothing is known about the data."""

    def __init__(self, message: str) -> None:
        super().__init__("StoreUnavailable", message)


class ArtifactError(StoreError):
    """An artifact cannot be taken: `ArtifactLost` (gone: compute once more) or `ArtifactForged` (refuse)."""

    def __init__(self, reason: Literal["ArtifactLost", "ArtifactForged", "ArtifactTooLarge"], message: str) -> None:
        super().__init__(reason, message)
