"""Waiting for something that will be true soon, for tests and the demo: poll with a deadline, never a bare sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(read: Callable[[], Value], what: str, seconds: float = 60.0, step: float = 0.1) -> Value:
    """The first truthy value of `read`; `TimeoutError` naming `what`, and the last value, if none comes."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s still not: {what} (last: {value!r})")
        time.sleep(step)
    return value
