"""One pool of connections to Redis, and its errors as sentences.

A pool per process, bounded and blocking: a replay with 256 calls in flight waits a moment for one of `CONNECTIONS`
sockets instead of opening 256. A broken connection is tried again for about a second, which covers a fail-over of a
proxy; what lasts longer becomes `StoreUnavailableError`, and the backoff of the caller (queue or Job) takes over.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from ninefold.api.spending import Spent
from ninefold.store._artifacts import ArtifactStore
from ninefold.store._budget import Budget
from ninefold.store._cache import CallCache
from ninefold.store._canaries import Exploits
from ninefold.store._errors import StoreUnavailableError
from ninefold.store._parts import PartStore
from ninefold.store._purse import Limit, Purse

CONNECTIONS = 16
"""Redis answers in well under a millisecond, so few sockets carry many callers."""
TIMEOUT_SECONDS = 10.0
"""For one command: an artifact of the largest size takes a second or two on a slow network."""
TRIES = 3
SCHEMES = ("redis", "rediss", "unix")


class Store:
    """The open store. `async with Store(url) as store: ...`; nothing is sent before the first command.

    `url` is `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS or `unix://path`. Raises ValueError, with
    a sentence that leaves the URL's credentials out, when it is none of these.
    """

    def __init__(self, url: str) -> None:
        self.address = address(url)
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.1), TRIES),
        )
        self._redis = Redis.from_pool(pool)
        self.artifacts = ArtifactStore(self._redis, self.errors)

    def calls(self, agent_uid: str) -> CallCache:
        """Answers that this Agent's replays and proposers have paid for."""
        return CallCache(self._redis, self.errors, agent_uid)

    def exploits(self, agent_uid: str) -> Exploits:
        """Texts that have fooled a judge of this Agent."""
        return Exploits(self._redis, self.errors, agent_uid)

    def budget(self, agent_uid: str, run_uid: str, name: str) -> Budget:
        """What one run may spend of one thing, such as `replay-calls`."""
        return Budget(self._redis, self.errors, agent_uid, run_uid, name)

    async def purse(
        self,
        agent_uid: str,
        run_uid: str,
        stage: str,
        limits: tuple[Limit, ...] = (),
        *,
        floor: Mapping[str, Mapping[str, Spent]] | None = None,
        floor_day: Mapping[str, Spent] | None = None,
    ) -> Purse:
        """The purse of one stage, taken over from any older pod of it."""
        purse = Purse(self._redis, self.errors, agent_uid, run_uid, stage, limits, floor or {}, floor_day or {})
        await purse.open()
        return purse

    def parts(self, agent_uid: str, reading: str, source: str, ttl: timedelta) -> PartStore:
        """Parts of this Agent's analysis under one way of reading, and the index of the objects of a source."""
        return PartStore(self._redis, self.errors, agent_uid, reading=reading, source=source, ttl=ttl)

    async def ping(self) -> None:
        """Raise StoreUnavailableError when Redis does not answer."""
        with self.errors():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what the client raises into `StoreUnavailableError` with a sentence."""
        try:
            yield
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(f"Redis at {self.address} {_trouble(error)}") from error


def address(url: str) -> str:
    """The URL without credentials and options, for messages. ValueError for what is no Redis URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The parser's own message quotes what it took for the port, which may be half of a password.
        raise ValueError(_not_a_url("has no readable host and port")) from None
    if parts.scheme not in SCHEMES:
        raise ValueError(_not_a_url("does not start with redis://, rediss:// or unix://"))
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    if not parts.hostname or not _is_database(parts):
        raise ValueError(_not_a_url("needs a host, and after it at most the number of a database"))
    return f"{parts.scheme}://{parts.hostname}:{port or 6379}{parts.path.rstrip('/')}"


def _is_database(parts: SplitResult) -> bool:
    path = parts.path.strip("/")
    return not path or path.isdecimal()


def _not_a_url(what: str) -> str:
    return (
        f"the URL of Redis {what}: write redis://[user:password@]host[:port][/db], "
        "with the characters @ : / ? # of a password percent-encoded"
    )


def _trouble(error: Exception) -> str:
    match error:
        case AuthenticationError() | AuthorizationError():
            return "refuses the user or password: check the URL of Redis that Ninefold was given"
        case NoPermissionError():
            return "does not let this user read and write keys ninefold:*: extend the user's ACL"
        case _ if _is_full(error):
            return "is full: give it more memory (in the chart: redis.builtIn.maxMemoryMiB)"
        case ReadOnlyError():
            return "is a read-only replica: name the primary"
        case _:
            return f"cannot be used ({type(error).__name__}): check that it runs and can be reached from here"


def _is_full(error: Exception) -> bool:
    """A script that may not write any more ends in the error of scripts, which quotes the one of memory."""
    return isinstance(error, OutOfMemoryError) or (isinstance(error, ResponseError) and "OOM command" in str(error))
