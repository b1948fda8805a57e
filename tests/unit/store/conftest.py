from collections.abc import Iterator

import pytest

from testbed import RedisServer


@pytest.fixture(scope="package")
def redis_server() -> Iterator[RedisServer]:
    """A real server of our own, with a password: scripts, expiry and error texts are what is tried here."""
    with RedisServer(password="p@ss/word") as server:
        yield server


@pytest.fixture(autouse=True)
def empty(redis_server: RedisServer) -> None:
    redis_server.flush()
