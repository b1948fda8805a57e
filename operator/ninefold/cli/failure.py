"""How a verb ends that cannot do its work."""


class CliFailure(Exception):
    """The message is a sentence for the user: what, where, what to do instead."""
