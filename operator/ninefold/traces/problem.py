"""What a user must mend before traces can be read."""


class TracesProblem(Exception):
    """The traces cannot be used as the spec says. `reason` is a CamelCase word; the message says what to change.

    `permanent`: trying again without a change would say the same.
    """

    def __init__(self, reason: str, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.permanent = permanent
