"""A real Redis: it answers, forgets on demand, and loses everything in a crash."""

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from testbed import RedisServer

pytestmark = pytest.mark.integration


def test_flush_forgets_everything(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
        redis_server.flush()
        assert client.get("key") is None


def test_a_password_is_asked_for_and_is_in_the_url() -> None:
    with RedisServer(password="of course: it's @ secret/") as server:  # every character that a URL minds
        with Redis.from_url(server.url) as client:
            assert client.ping()
        with pytest.raises(AuthenticationError), Redis(port=server.port) as stranger:
            stranger.ping()
        server.flush()


def test_a_crash_loses_the_data_and_keeps_the_port() -> None:
    with RedisServer() as server, Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.kill()
        server.start()
        assert client.get("key") is None
