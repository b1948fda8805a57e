"""HTTP to a trace server: one patient request, and what each refusal means to the user.

A server that is busy says so (429, 503) and for how long (`Retry-After`), which is obeyed; what passes (5xx, time-outs,
broken connections) is tried again with growing pauses. An answer above `MAX_BYTES`, or one that the server cannot make
(413, 422), raises `TooLarge`, and the reader asks for less. Everything else is a `TracesProblem` with its sentence.
Redirects are not followed, for the login would go along.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from ninefold.api.tracebackend import LOGIN_PREFIX, ServerLogin
from ninefold.traces.langfuse.client import seconds_until
from ninefold.traces.langfuse.refusals import is_tls
from ninefold.traces.paths import decode
from ninefold.traces.problem import TracesProblem

MAX_BYTES = 128 * 2**20
"""Of one answer: bounds this process's memory whatever the server sends."""
TIMEOUT = 60.0
TRIES = 4
MAX_WAIT = 120.0
"""Seconds: the longest pause that a server may ask for at once."""
_BUSY = (429, 502, 503, 504)
_TOO_LARGE = (413, 422)


class TooLarge(Exception):
    """The server does not deliver this answer: ask for less."""


class Missing(Exception):
    """HTTP 404: nothing is at this path. `said` is the server's answer."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self.said = said


class Server:
    """GETs from one server. `field` is its name in the spec, for the sentences; `sleep` and `transport` for tests."""

    def __init__(
        self,
        url: str,
        field: str,
        headers: Mapping[str, str],
        losses: Counter[str],
        auth: tuple[str, str] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self._field, self._losses, self._sleep = url.rstrip("/"), field, losses, sleep
        self._client = httpx.Client(
            auth=auth, headers={"User-Agent": "ninefold", **headers}, timeout=TIMEOUT, transport=transport
        )

    def json(self, path: str, params: Mapping[str, Any]) -> Any:
        """The JSON value at a path. Raises TooLarge, Missing or TracesProblem."""
        data = b"".join(self._patient("GET", path, params, None, _collected))
        try:
            return json.loads(decode(data, self._losses))
        except RecursionError:
            raise TooLarge from None  # something in it nests deeper than JSON can be read
        except ValueError:
            raise self._stranger() from None

    def lines(self, path: str, params: Mapping[str, Any], body: bytes) -> Iterator[bytes]:
        """The lines of the answer to a POST as they come. A connection that breaks on the way is a TracesProblem."""
        yield from self._patient("POST", path, params, body, _lines)

    def _patient(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: bytes | None,
        read: Callable[[httpx.Response], Iterator[bytes]],
    ) -> Iterator[bytes]:
        for attempt in range(1, TRIES + 1):
            begun = False
            try:
                with self._answer(method, path, params, body) as response:
                    if response.status_code == 200:
                        for piece in read(response):
                            begun = True
                            yield piece
                        return
                    said = response.status_code, response.headers.get("Retry-After"), response.read()[:4096]
            except httpx.TransportError as error:
                if begun or attempt == TRIES:  # what has been handed out cannot be taken back
                    raise self._broken(error) from None
                self._sleep(2.0**attempt)
                continue
            if said[0] not in _BUSY or attempt == TRIES:
                raise self._refusal(said[0], said[2])
            self._sleep(min(MAX_WAIT, seconds_until(said[1]) or 2.0**attempt))

    @contextmanager
    def _answer(
        self, method: str, path: str, params: Mapping[str, Any], body: bytes | None
    ) -> Iterator[httpx.Response]:
        with self._client.stream(method, f"{self.url}{path}", params=params, content=body) as response:
            yield response

    # ------------------------------------------------------------ what a refusal means

    def _refusal(self, status: int, said: bytes) -> Exception:
        if status in _TOO_LARGE:
            return TooLarge()
        if status == 404:
            return Missing(said)
        if status in (401, 403):
            return TracesProblem(
                "Unauthorized",
                f"{self.url} refuses the login (HTTP {status}): check user, password or token in {self._field}, and "
                "that they may read",
            )
        if 300 <= status < 400:
            return TracesProblem(
                "Redirected",
                f"{self.url} redirects (HTTP {status}), and a login is not sent along: write the address that answers "
                f"by itself as {self._field}.url",
            )
        if status in _BUSY:
            return TracesProblem(
                "BackendUnavailable",
                f"{self.url} is not available (HTTP {status}), tried {TRIES} times",
                permanent=False,
            )
        return RefusedRequest(status, said, self.url)

    def _broken(self, error: Exception) -> TracesProblem:
        if is_tls(error):
            return TracesProblem(
                "TlsFailed",
                f"the TLS connection to {self.url} fails: its certificate must be valid, made for this name and signed "
                "by an authority that the Jobs' image trusts; a server without TLS is written with http://",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return TracesProblem(
                "Unreachable",
                f"no connection to {self.url}: check name and port in {self._field}.url, that the server runs, and "
                "that a NetworkPolicy lets the Jobs reach it",
                permanent=False,
            )
        return TracesProblem(
            "BackendUnavailable",
            f"{self.url} does not answer ({type(error).__name__}), tried {TRIES} times",
            permanent=False,
        )

    def _stranger(self) -> TracesProblem:
        return TracesProblem(
            "WrongServer",
            f"{self.url} answers, but not as {self._field} does: write the address of its API as {self._field}.url",
        )


class RefusedRequest(TracesProblem):
    """The server does not do what it is asked. `said` is its answer, for the reader to understand; it is not told."""

    def __init__(self, status: int, said: bytes, url: str) -> None:
        super().__init__("RequestRefused", f"{url} does not understand the request (HTTP {status})")
        self.status, self.said = status, said


Login = tuple[dict[str, str], tuple[str, str] | None]


def login_of(login: ServerLogin, secrets: Mapping[str, str], field: str) -> Login:
    """Headers and basic auth for a login. Raises TracesProblem when its Secret is empty."""
    if login.token_secret_ref is not None:
        return {"Authorization": f"Bearer {secret(secrets, 'TOKEN', f'{field}.login.tokenSecretRef')}"}, None
    if login.username is not None:
        return {}, (login.username, secret(secrets, "PASSWORD", f"{field}.login.passwordSecretRef"))
    return {}, None


def secret(secrets: Mapping[str, str], name: str, field: str) -> str:
    """A secret of this Job, without the newline that editors leave at its end."""
    value = secrets.get(LOGIN_PREFIX + name, "").strip()
    if not value or not value.isprintable():
        raise TracesProblem("SecretEmpty", f"the key that {field} names is empty or no text: write the secret into it")
    return value


def _collected(response: httpx.Response) -> Iterator[bytes]:
    """The whole answer in one piece, so that a broken one can be asked for again."""
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise TooLarge
    yield bytes(data)


def _lines(response: httpx.Response) -> Iterator[bytes]:
    rest = bytearray()
    for chunk in response.iter_bytes():
        *whole, tail = (bytes(rest) + chunk).split(b"\n") if b"\n" in chunk else (bytes(rest) + chunk,)
        rest = bytearray(tail)
        yield from (line for line in whole if line)
        if len(rest) > MAX_BYTES:
            raise TooLarge
    if rest:
        yield bytes(rest)
