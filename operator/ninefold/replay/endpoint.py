"""The agent's staging endpoint: POST {case_id, input, metadata, components, seed} -> {steps, output, scores, usage}.

The contract is in docs/replay.md. The answer is foreign: it is read up to a limit, checked against the contract, and
of an error only the status and a code of a few plain characters are passed on.
"""

import asyncio
import json
import re
import time
from math import ceil
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ninefold.api.artifacts import canonical, sha256
from ninefold.api.spending import MICROS
from ninefold.replay.invented import Called
from ninefold.replay.mode import Answer, Finite, PassingError, RejectedError, Request, Usage, seconds_of
from ninefold.replay.sketch import sketch

MAX_ANSWER_BYTES = 16 * 2**20
"""Of one answer. An endpoint that sends more than any agent's steps would otherwise fill the pod's memory."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LIMITED = 429
KEY_HEARD = "Idempotent-Replayed"
"""Header of an endpoint that runs a repeated key once: `true` on an answer from memory, else `false`."""
_CODE = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Step(_Part):
    status: str | None = None
    input: Any = None
    output: Any = None

    @property
    def result(self) -> str | None:
        return None if self.status == "error" or self.output is None else _text(self.output)


class _Usage(_Part):
    prompt_tokens: int | None = Field(None, ge=0)
    completion_tokens: int | None = Field(None, ge=0)
    cost: Finite | None = Field(None, ge=0)


class _Body(_Part):
    """The answer as the contract has it. Of a step, status, input and output are read."""

    scores: dict[str, Finite | None] = Field(default_factory=dict)
    steps: list[_Step] = Field(default_factory=list)
    usage: _Usage | None = None
    output: Any = None

    def answer(self) -> Answer:
        usage = self.usage or _Usage()
        return Answer(
            scores={name: score for name, score in self.scores.items() if score is not None},
            steps=len(self.steps),
            error_steps=sum(step.status == "error" for step in self.steps),
            sketch=sketch(self.output),
            tokens=(usage.prompt_tokens or 0) + (usage.completion_tokens or 0),
            output=self.output,
            shown=[step.result for step in self.steps if step.result is not None],
            called=[Called(step.input, step.result) for step in self.steps],
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                micro_usd=None if usage.cost is None else ceil(usage.cost * MICROS),
            ),
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


class Endpoint:
    """`async with Endpoint(url, key, timeout, model=...) as endpoint`: a Replayer over HTTP.

    `timeout` is in seconds and covers one try from connecting to the last byte. `model` is the name of the model behind
    the agent: answers of another model are other answers. Redirects are not followed, for the key would go along.
    """

    def __init__(self, url: str, api_key: SecretStr | None, timeout: float, *, model: str, connections: int) -> None:
        self._url = url
        self._model = model
        self._timeout = timeout
        key = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        self._client = httpx.AsyncClient(
            headers={"Content-Type": "application/json", "User-Agent": "ninefold-replay", **key},
            timeout=timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    @property
    def name(self) -> str:
        return urlsplit(self._url).netloc

    @property
    def identity(self) -> dict[str, Any]:
        return {"mode": "Endpoint", "url": self._url, "model": self._model}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def replay(self, request: Request) -> Answer:
        """One try. See `Replayer`."""
        body = canonical(request.wire())
        # The same call has the same key, so an endpoint that honours it never runs a case twice, not even one that was
        # under way when this pod was killed.
        headers = {"Idempotency-Key": sha256(body)}
        begun = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                data = await self._read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise PassingError(f"no connection ({type(error).__name__})", ran=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise PassingError(f"no answer within {self._timeout:g} s") from None
        except httpx.TransportError as error:
            raise PassingError(f"no connection ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise RejectedError(f"unreadable answer ({type(error).__name__})") from None
        if response.status_code in _PASSING:
            limited = response.status_code == _LIMITED
            raise PassingError(
                f"HTTP {response.status_code}", seconds_of(response.headers.get("Retry-After", "")), limited=limited
            )
        if not response.is_success:
            code = _error_code(data)
            raise RejectedError(f"HTTP {response.status_code}{' ' + code if code else ''}", response.status_code)
        heard = response.headers.get(KEY_HEARD, "").strip().lower()
        millis = None if heard == "true" else round((time.monotonic() - begun) * 1000)
        return _parse(data).model_copy(update={"once": heard in ("true", "false"), "millis": millis})

    async def _read(self, response: httpx.Response) -> bytes:
        data = bytearray()
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > MAX_ANSWER_BYTES:
                raise RejectedError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB")
        return bytes(data)


def _parse(data: bytes) -> Answer:
    try:
        return _Body.model_validate_json(data).answer()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # Only the field of the contract: what lies below may be a name out of the answer.
        place = str(first["loc"][0]) if first["loc"] else "the whole"
        what = first["type"].replace("_", " ")
        raise RejectedError(f"the answer is not of the contract: {place}: {what}") from None


def _error_code(data: bytes) -> str | None:
    """`error.code` (or `error.type`, or `error` itself) of a JSON body, as OpenAI-compatible servers send it."""
    try:
        error = json.loads(data)["error"]
        found = (error.get("code") or error.get("type")) if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and _CODE.match(found) else None
