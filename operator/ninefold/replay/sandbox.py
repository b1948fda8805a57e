"""The sandbox: runs tools that may be run again, for the loop that Ninefold runs itself."""

from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from ninefold.api.base import parse_duration
from ninefold.api.replaying import ReplaySandbox
from ninefold.replay.mode import PassingError, RejectedError, Request, seconds_of

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LIMITED = 429
MAX_RESULT = 2**20
"""Bytes of one result: it becomes part of a prompt."""


class Sandbox:
    """`POST {tool, arguments, case_id, metadata, seed}` -> `{output, status}`. `tools`: those that it runs."""

    def __init__(self, settings: ReplaySandbox, api_key: SecretStr | None) -> None:
        key = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        timeout = parse_duration(settings.timeout).total_seconds()
        self._url, self.tools = settings.url, frozenset(settings.tools)
        self._client = httpx.AsyncClient(headers={"User-Agent": "ninefold-replay", **key}, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def body(self, request: Request, tool: str, arguments: str) -> dict[str, Any]:
        """What is posted."""
        case = {"case_id": request.case_id, "metadata": request.metadata, "seed": request.seed}
        return {"tool": tool, "arguments": arguments, **case}

    async def run(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{output, error}` of one call. Raises PassingError or RejectedError."""
        try:
            response = await self._client.post(self._url, json=body)
        except httpx.ConnectError:
            raise PassingError("no connection to the sandbox", ran=False) from None
        except httpx.HTTPError as error:
            raise PassingError(f"the sandbox gave no answer ({type(error).__name__})") from None
        if response.status_code in _PASSING:
            wait = seconds_of(response.headers.get("Retry-After", ""))
            limited = response.status_code == _LIMITED
            raise PassingError(f"the sandbox answered HTTP {response.status_code}", wait, limited=limited)
        if not response.is_success or len(response.content) > MAX_RESULT:
            raise RejectedError(f"the sandbox answered HTTP {response.status_code}, {len(response.content)} bytes")
        try:
            found = response.json()
            return {"output": str(found["output"]), "error": found.get("status") == "error"}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RejectedError("the sandbox's answer is not of the contract") from None
