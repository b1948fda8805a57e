"""One try of a chat completion with tools, as an agent makes it: messages in, the model's next message out.

Retries, budget and memory are the caller's (`ninefold.replay.till`), so the SDK's own retries are off: a try that is
not booked would be a call that nobody counted.
"""

from types import TracebackType
from typing import Any, Self

from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError
from pydantic import SecretStr

from ninefold.api.agent import AgentModel
from ninefold.llm.protocol import ToolCall, TryError, Turn


class Completions:
    """The agent's model. `timeout` in seconds."""

    def __init__(self, model: AgentModel, api_key: SecretStr | None, timeout: float) -> None:
        assert model.endpoint is not None, "the schema asks for one"
        self.url, self._model = model.endpoint, model
        self._client = AsyncOpenAI(
            base_url=model.endpoint,
            api_key=api_key.get_secret_value() if api_key else "none",
            max_retries=0,
            timeout=timeout,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    def body(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], seed: int) -> dict[str, Any]:
        """The request as it is sent; also what tells it from every other."""
        given = self._model.parameters
        sampling = {"temperature": given.temperature, "top_p": given.top_p}
        return {
            "model": self._model.name,
            "messages": messages,
            "max_tokens": given.max_tokens,
            "seed": seed,
            **{name: value for name, value in sampling.items() if value is not None},
            **({"tools": tools} if tools else {}),
        }

    async def next(self, body: dict[str, Any]) -> Turn:
        """One try. Raises TryError."""
        try:
            found = await self._client.chat.completions.create(**body)
        except APITimeoutError:
            raise TryError("no answer in time") from None
        except APIConnectionError:
            raise TryError("no connection", sent=False) from None
        except APIStatusError as error:
            wait = error.response.headers.get("Retry-After", "")
            raise TryError(f"HTTP {error.status_code}", error.status_code, wait) from None
        except OpenAIError as error:
            raise TryError(f"unreadable answer ({type(error).__name__})", 1) from None
        if not found.choices:
            raise TryError("the answer has no choices", 1)
        message, usage = found.choices[0].message, found.usage
        calls = tuple(
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or []
            if call.type == "function"
        )
        return Turn(
            message.content, calls, usage.prompt_tokens if usage else None, usage.completion_tokens if usage else None
        )
