"""HTTP to a Langfuse server: one patient GET, and what each refusal means to the user.

A server that is busy says so (429, 503) and for how long (`Retry-After`), or shows that the next request would be one
too many (`X-RateLimit-Remaining: 0`): both are obeyed. What passes (500, 502, time-outs, broken connections) is tried
again with growing pauses. A page that the server cannot deliver, because it is larger than its limit or takes longer
than its proxy waits, raises `TooLarge`, and the reader asks for a smaller one; the same when the answer is larger than
`MAX_BYTES`, which bounds the memory of this process whatever the server sends. A route that is not there raises
`Absent`. Everything else that a user must mend is a `TracesProblem` with its sentence.

Redirects are not followed, for the keys would go along.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import SecretStr

from ninefold.api.tracebackend import LangfuseSource
from ninefold.traces.langfuse import refusals
from ninefold.traces.paths import decode
from ninefold.traces.problem import TracesProblem

PUBLIC_KEY, SECRET_KEY = "NINEFOLD_LANGFUSE_PUBLIC_KEY", "NINEFOLD_LANGFUSE_SECRET_KEY"
"""Environment variables of the Jobs that read traces."""

MAX_BYTES = 64 * 2**20
"""Of one answer. Langfuse itself gives up far below."""
TIMEOUT = 120.0
"""Seconds for one answer: a busy ClickHouse takes long, and proxies before it give up after 60 to 100."""
TRIES = 3
"""Of one request, where nothing says how long to wait."""
MAX_WAIT = 300.0
"""Seconds of waiting for one request altogether, and the longest pause that a server may ask for at once: below the
deadline of a probe, so that the user reads what the server said and not that the Job took too long."""

_WAIT = (429, 503)
_TOO_LARGE = (413, 422)
"""Langfuse answers 422 when ClickHouse ran out of memory or time for a query."""
_ABSENT = (404, 405, 501)
Json = dict[str, Any]


class Absent(Exception):
    """The server does not serve this route. `told` is Langfuse's own message, None when it was not Langfuse's."""

    def __init__(self, told: str | None) -> None:
        super().__init__(told)
        self.told = told


class TooLarge(Exception):
    """The server does not deliver this page. `problem` is set when the cause may be another than the page's size."""

    def __init__(self, problem: TracesProblem | None = None) -> None:
        super().__init__()
        self.problem = problem


class Client:
    """GETs one server's public API with the keys of one project. `sleep` and `transport` are for tests."""

    def __init__(
        self,
        host: str,
        public_key: SecretStr,
        secret_key: SecretStr,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host.rstrip("/")
        self.losses: Counter[str] = Counter()
        self._sleep = sleep
        self._client = httpx.Client(
            auth=(public_key.get_secret_value(), secret_key.get_secret_value()),
            headers={"Accept": "application/json", "User-Agent": "ninefold"},
            timeout=TIMEOUT,
            transport=transport,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        """The JSON object at a path below the host. Raises Absent, TooLarge or TracesProblem."""
        waited, failures = 0.0, 0
        while True:
            try:
                response, data = self._try(path, params or {})
            except (httpx.TimeoutException, httpx.TransportError) as error:
                failures += 1
                if failures == TRIES:
                    raise self._broken(error) from None
                self._sleep(2.0**failures)
                continue
            status = response.status_code
            if status == 200:
                return self._object(response, data)
            if status in _WAIT and waited < MAX_WAIT:
                pause = min(MAX_WAIT, seconds_until(response.headers.get("Retry-After")) or 2.0 + waited)
                waited += pause
                self._sleep(pause)
            elif status in _WAIT or status < 500 or status in _ABSENT:
                raise self._refusal(status, path, response, data)
            else:
                failures += 1
                if failures == TRIES:
                    raise TooLarge(self._unavailable(f"HTTP {status}"))
                self._sleep(2.0**failures)

    def _try(self, path: str, params: Mapping[str, Any]) -> tuple[httpx.Response, bytes]:
        data = bytearray()
        with self._client.stream("GET", f"{self.host}{path}", params=params) as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise TooLarge
        return response, bytes(data)

    def _object(self, response: httpx.Response, data: bytes) -> Json:
        try:
            body = json.loads(decode(data, self.losses))
        except RecursionError:
            raise TooLarge from None  # one row nests deeper than JSON can be read: a smaller page leaves it out
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise refusals.not_langfuse(self.host)
        if response.headers.get("X-RateLimit-Remaining") == "0":
            self._sleep(min(MAX_WAIT, seconds_until(response.headers.get("X-RateLimit-Reset"))))
        return body

    # ------------------------------------------------------------ what a refusal means

    def _refusal(self, status: int, path: str, response: httpx.Response, data: bytes) -> Exception:
        if status in _TOO_LARGE:
            return TooLarge()
        if status in _ABSENT:
            return Absent(_told(data))
        if status >= 500:
            return self._unavailable(f"HTTP {status}")
        return self._problem(status, path, response)

    def _problem(self, status: int, path: str, response: httpx.Response) -> TracesProblem:
        if status == 401:
            return refusals.wrong_keys(self.host)
        if status == 403:
            return refusals.forbidden(self.host, f"read {path}")
        if response.is_redirect:
            return refusals.redirected(self.host, status, response.headers.get("Location", ""))
        if status == 429:
            instead = "read a shorter window, read the blob-storage export, or have the limit raised"
            return refusals.rate_limited(self.host, path, MAX_WAIT / 60, instead)
        return TracesProblem(
            "RequestRefused",
            f"{self.host} does not understand the request for {path} (HTTP {status}): set langfuse.api to V4 or V1, "
            "whichever the server serves, and report it if that does not help",
        )

    def _unavailable(self, what: str) -> TracesProblem:
        return refusals.unavailable(self.host, what, TRIES)

    def _broken(self, error: Exception) -> Exception:
        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout | httpx.PoolTimeout
        ):
            return TooLarge(self._unavailable(f"no answer within {TIMEOUT:g} s"))
        return refusals.broken(self.host, error, TRIES)


def login_of(source: LangfuseSource, secrets: Mapping[str, str]) -> tuple[str, SecretStr, SecretStr]:
    """Host, public and secret key of a project. TracesProblem when the Job was not given the keys."""
    missing = [name for name in (PUBLIC_KEY, SECRET_KEY) if not secrets.get(name)]
    if missing or source.host is None:
        raise TracesProblem(
            "NoKeys",
            f"the pod was not given {' and '.join(missing)}: check that the Secrets of publicKeySecretRef and "
            "secretKeySecretRef exist, with a value under the keys that they name",
        )
    return source.host, SecretStr(secrets[PUBLIC_KEY]), SecretStr(secrets[SECRET_KEY])


def seconds_until(value: str | None) -> float:
    """Seconds from now until a moment: in seconds or as a date (RFC 9110, 10.2.3; ISO 8601). 0: none, or past."""
    value = (value or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(value)
        except (TypeError, ValueError):
            continue
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return 0.0


def _told(data: bytes) -> str | None:
    """The message of one of Langfuse's own errors: `{"message", "error": "LangfuseNotFoundError"}`."""
    body = _json(data)
    message = body.get("message") if isinstance(body, dict) else None
    return message[:300] if isinstance(message, str) else None


def _json(data: bytes) -> Any:
    """The value of a JSON text, None for what is none. Bytes that are no UTF-8 become U+FFFD."""
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
