"""Our Langfuse backend over the stand-in, without a socket, and every exchange held against Langfuse's own contract."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from pydantic import SecretStr
from trace_builders import request, wire_span
from werkzeug.datastructures import Headers, ImmutableMultiDict

from ninefold.api.tracebackend import LangfuseSource
from ninefold.traces import Backend, Window
from ninefold.traces.langfuse import LangfuseApi
from ninefold.traces.langfuse.client import Client
from standins.langfuse import Request as Asked
from standins.langfuse import StandIn
from standins.langfuse.answers import PUBLIC_KEY, SECRET_KEY
from testbed.paths import REPOSITORY

if TYPE_CHECKING:
    from ninefold.delivery import LangfusePrompts

HOST = "https://langfuse.example.com"
SHARED = REPOSITORY.parent / "shared"
ALL_TIME = Window.of("2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z")


@dataclass
class Wire:
    """Carries requests to a stand-in. `pauses` are the seconds that our client waited."""

    stand_in: StandIn
    contract: "Contract | None" = None
    pauses: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        login = request.headers.get("Authorization")
        asked = Asked(request.url.raw_path.decode(), login, request.method, request.content)
        answer = self.stand_in.answer(asked)
        headers = answer.headers | {"Content-Type": answer.content_type}
        response = httpx.Response(answer.status, content=answer.content, headers=headers)
        if self.contract is not None:
            self.contract.check(request, response)
        return response

    def client(self, host: str = HOST, secret: str = SECRET_KEY) -> Client:
        transport = httpx.MockTransport(self)
        return Client(host, SecretStr(PUBLIC_KEY), SecretStr(secret), sleep=self.pauses.append, transport=transport)

    def prompts(self, secret: str = SECRET_KEY) -> "LangfusePrompts":
        """Our door to the server's prompts; imported here, for the SDK behind it takes a second."""
        from ninefold.delivery import LangfusePrompts

        return LangfusePrompts(HOST, SecretStr(PUBLIC_KEY), SecretStr(secret), transport=httpx.MockTransport(self))

    def backend(self, **source: Any) -> LangfuseApi:
        """The backend with these fields of `spec.langfuse`."""
        keys = {side: {"name": "langfuse", "key": "k"} for side in ("publicKeySecretRef", "secretKeySecretRef")}
        return LangfuseApi(LangfuseSource.model_validate({"host": HOST, **keys, **source}), {}, self.client())


def a_trace(n: int, calls: int = 2, **of_root: Any) -> str:
    """Trace n as an OTLP line: an agent, and for each call a model's turn and a tool's. It starts n minutes late."""
    at = 60.0 * n
    root = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "guide", "app__task": n}
    spans = [wire_span(0, at=at, lasts=2 * calls, trace=n + 1, name="invoke_agent guide", status={}, **root, **of_root)]
    for k in range(calls):
        said = [{"role": "user", "parts": [{"type": "text", "content": f"question {n}"}]}]
        call = {"type": "tool_call", "id": f"c{k}", "name": "museum", "arguments": {"command": f"open {k}"}}
        spans.append(
            wire_span(
                2 * k + 1,
                at=at + 2 * k,
                trace=n + 1,
                name="chat m",
                status={},
                gen_ai__operation__name="chat",
                gen_ai__input__messages=json.dumps(said),
                gen_ai__output__messages=json.dumps([{"role": "assistant", "parts": [call]}]),
            )
        )
        spans.append(
            wire_span(
                2 * k + 2,
                at=at + 2 * k + 1,
                trace=n + 1,
                name="execute_tool museum",
                status={},
                gen_ai__operation__name="execute_tool",
                gen_ai__tool__name="museum",
                gen_ai__tool__call__id=f"c{k}",
                gen_ai__tool__call__arguments=json.dumps({"command": f"open {k}"}),
                gen_ai__tool__call__result="done",
            )
        )
    return json.dumps(request(*spans))


def shape(backend: Backend, window: Window = ALL_TIME) -> list[tuple[str, int]]:
    """The traces that are read, with their number of steps."""
    return sorted((r.trace_id, len(r.steps)) for r in backend.read(window))


def whole(*numbers: int, steps: int = 5) -> list[tuple[str, int]]:
    return [(f"{n + 1:032x}", steps) for n in numbers]


class Contract:
    """Langfuse's OpenAPI description, as a judge of requests and responses."""

    def __init__(self, description: Path) -> None:
        # The description itself is not valid OpenAPI 3.0 (it uses `const`), so it is not checked, only used.
        self._openapi = OpenAPI.from_file_path(str(description), config=Config(spec_validator_cls=None))
        self.checked = 0

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        asked = _Request(request)
        self._openapi.validate_request(asked)
        self._openapi.validate_response(asked, _Response(response))
        self.checked += 1


class _Request:
    """openapi-core's Request protocol over httpx."""

    def __init__(self, request: httpx.Request) -> None:
        self.host_url = f"{request.url.scheme}://{request.url.host}"
        # As it was sent: the name of a prompt may hold an encoded slash, which separates nothing.
        self.path, self.method = request.url.raw_path.decode().partition("?")[0], request.method.lower()
        self.body, self.content_type = request.content or None, request.headers.get("Content-Type", "")
        query = ImmutableMultiDict(request.url.params.multi_items())
        self.parameters = RequestParameters(query=query, header=Headers(request.headers.multi_items()))


class _Response:
    """openapi-core's Response protocol over httpx."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code, self.data = response.status_code, response.content
        self.content_type = response.headers.get("Content-Type", "").partition(";")[0]
        self.headers = Headers(response.headers.multi_items())
