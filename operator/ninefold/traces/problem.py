"""What a user must mend before traces can be read."""


class TracesProblem(Exception):
    """The traces cannot be used as the spec says. `reason` is a CamelCase word; the message says what to change."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
