"""Langfuse's prompts through its own SDK, which serves every generation of servers from version 2 on.

Of the SDK only the API client is used (`langfuse.api`): it starts no threads and reads no environment. Its retries are
off. Repeating a POST whose answer was lost would write a version twice, while repeating the whole delivery
(`patiently`) first looks for what is there; so that is what is repeated, when a server is busy (429, 503: for as long
as it asks, `Retry-After`), or when something passes (5xx, time-outs, broken connections).

Servers before version 3 cannot move a label to a version that exists: they have no such route. There the same text is
written once more with the label on it, which takes the label away from the others.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from langfuse.api import (
    CreateChatPromptRequest,
    CreateChatPromptType,
    CreateTextPromptRequest,
    CreateTextPromptType,
    LangfuseAPI,
    Prompt,
)
from langfuse.api.core import ApiError, RequestOptions
from pydantic import SecretStr, ValidationError

from ninefold.delivery.prompts import Message, PromptProblem, PromptVersion
from ninefold.traces.langfuse import refusals
from ninefold.traces.langfuse.client import MAX_WAIT, TRIES, seconds_until
from ninefold.traces.problem import TracesProblem

TIMEOUT = 60
"""Seconds for one answer; prompts are small."""
_ONCE = RequestOptions(max_retries=0, timeout_in_seconds=TIMEOUT)
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
Result = TypeVar("Result")


class Passing(Exception):
    """It may work in a moment. `pause`: seconds that the server asks for, 0 where it does not say."""

    def __init__(self, problem: TracesProblem, pause: float = 0.0, *, busy: bool = False) -> None:
        super().__init__()
        self.problem, self.pause, self.busy = problem, pause, busy


class LangfusePrompts:
    """The prompts of one project (see `ninefold.delivery.prompts.PromptServer`). `transport` is for tests."""

    def __init__(
        self,
        host: str,
        public_key: SecretStr,
        secret_key: SecretStr,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host.rstrip("/")
        self._api = LangfuseAPI(
            base_url=self.host,
            username=public_key.get_secret_value(),
            password=secret_key.get_secret_value(),
            httpx_client=httpx.Client(transport=transport, timeout=TIMEOUT, headers={"User-Agent": "ninefold"}),
        )

    def find(self, name: str, label: str) -> PromptVersion | None:
        try:
            # Unresolved: the text as it was written, and past the server's cache, which lags behind writes.
            found = self._api.prompts.get(quote(name, safe=""), label=label, resolve=False, request_options=_ONCE)
        except (ApiError, ValidationError, httpx.HTTPError) as error:
            if _is_missing_prompt(error):
                return None
            raise self._refusal(error, f"read the prompt {name}") from None
        return _version(found)

    def create(
        self, name: str, content: str | list[Message], labels: list[str], config: Any, message: str
    ) -> PromptVersion:
        more = {"name": name, "labels": labels, "config": config, "commit_message": message[:500]}
        request: CreateTextPromptRequest | CreateChatPromptRequest
        if isinstance(content, str):
            request = CreateTextPromptRequest(prompt=content, type=CreateTextPromptType.TEXT, **more)
        else:
            request = CreateChatPromptRequest(prompt=content, type=CreateChatPromptType.CHAT, **more)
        try:
            return _version(self._api.prompts.create(request=request, request_options=_ONCE))
        except (ApiError, ValidationError, httpx.HTTPError) as error:
            raise self._refusal(error, f"write the prompt {name}") from None

    def put_labels(self, found: PromptVersion, labels: list[str], message: str) -> PromptVersion:
        try:
            moved = self._api.prompt_version.update(
                quote(found.name, safe=""), found.version, new_labels=labels, request_options=_ONCE
            )
        except (ApiError, ValidationError, httpx.HTTPError) as error:
            if _is_missing_prompt(error):
                told = f"version {found.version} of the prompt {found.name} was deleted meanwhile"
                raise Passing(PromptProblem("PromptGone", told, permanent=False)) from None
            if isinstance(error, ApiError) and error.status_code in _ABSENT:
                return self.create(found.name, found.content, labels, found.config, message)
            raise self._refusal(error, f"move labels of the prompt {found.name}") from None
        return _version(moved)

    def _refusal(self, error: Exception, what: str) -> Exception:
        """What an error of the SDK means to the user."""
        if isinstance(error, ValidationError):
            return refusals.not_langfuse(self.host)
        if not isinstance(error, ApiError):
            problem = refusals.broken(self.host, error, TRIES)
            return problem if problem.permanent else Passing(problem)
        status, headers = error.status_code or 0, {k.lower(): v for k, v in (error.headers or {}).items()}
        if status in _BUSY or status >= 500:
            return self._passing(status, headers.get("retry-after"), what)
        if 300 <= status < 400:
            return refusals.redirected(self.host, status, headers.get("location", ""))
        return self._final(status, _told(error), what)

    def _passing(self, status: int, retry_after: str | None, what: str) -> Passing:
        problem = refusals.unavailable(self.host, f"HTTP {status}", TRIES)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            problem = refusals.rate_limited(self.host, f"to {what}", MAX_WAIT / 60, "it is tried again later")
        return Passing(problem, seconds_until(retry_after), busy=status in _BUSY)

    def _final(self, status: int, told: str | None, what: str) -> TracesProblem:
        if status == HTTPStatus.UNAUTHORIZED:
            return refusals.wrong_keys(self.host)
        if status == HTTPStatus.FORBIDDEN:
            return refusals.forbidden(self.host, f"{what}, or one of its labels is protected")
        if told is None:
            return refusals.not_langfuse(self.host)
        if status in _ABSENT:
            return PromptProblem(
                "ApiNotServed",
                f'{self.host} does not serve prompts by its configuration (HTTP {status}): "{told}". Switch them on in '
                "the server, or drop delivery.langfusePrompt",
            )
        return PromptProblem("PromptRefused", f'{self.host} refuses to {what} (HTTP {status}): "{told}"')


def patiently(work: Callable[[], Result], sleep: Callable[[float], None] = time.sleep) -> Result:
    """What `work` returns, tried again while it raises Passing. `work` must be harmless to repeat."""
    waited, failures = 0.0, 0
    while True:
        try:
            return work()
        except Passing as passing:
            failures += not passing.busy
            if failures == TRIES or waited >= MAX_WAIT:
                raise passing.problem from None
            pause = min(MAX_WAIT, passing.pause or (2.0 + waited if passing.busy else 2.0**failures))
            waited += pause if passing.busy else 0.0
            sleep(pause)


def _version(found: Prompt) -> PromptVersion:
    content = found.prompt if isinstance(found.prompt, str) else [message.dict() for message in found.prompt]
    return PromptVersion(found.name, found.version, content, tuple(found.labels), found.config)


def _is_missing_prompt(error: Exception) -> bool:
    """Langfuse's own word that the prompt, or the label, is not there; every other 404 is about the route."""
    if not isinstance(error, ApiError) or error.status_code != HTTPStatus.NOT_FOUND:
        return False
    return (_told(error) or "").startswith("Prompt not found")


def _told(error: ApiError) -> str | None:
    """The message of one of Langfuse's own errors; None when something else has answered."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return message[:300] if isinstance(message, str) else None
