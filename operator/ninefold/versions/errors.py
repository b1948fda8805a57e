"""What can be wrong with a version. `reason` is the word for the condition, the message its sentence."""


class VersionError(Exception):
    reason = "VersionInvalid"


class TamperedVersion(VersionError):
    """A version ConfigMap does not hold what its name says."""

    reason = "TamperedVersion"


class PromptTooLarge(VersionError):
    """A version does not fit into a ConfigMap."""

    reason = "PromptTooLarge"


class ConditionalEdit(VersionError):
    """`delivery.mode: Mount` serves plain keys and cannot carry an edit with a condition."""

    reason = "ConditionalEdit"


class UnknownComponent(VersionError):
    """An edit changes a component that the baseline does not have."""

    reason = "UnknownComponent"


class SealedAlreadyOpened(VersionError):
    """A run that has opened the sealed cases for one candidate asks for them with another."""

    reason = "SealedAlreadyOpened"
