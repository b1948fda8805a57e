"""A thin client on the `openai` SDK: structured answers, a budget that is reserved before a call, nothing bought twice.

The SDK does the transport (retries with back-off, Retry-After, time-outs). What is added here:

- the answer's shape is a pydantic model. It is sent as a JSON schema; an endpoint that refuses `response_format`
  (many compatible servers do) is asked again the plain way: the schema in the instructions, and `max_tokens` under
  its old name. Either way the answer is validated here, for a schema that is sent is no schema that is kept;
- the estimated tokens of a call are reserved before it, so that a run cannot spend more than its policy allows, also
  when its pod is killed and started again;
- an answer that was valid is kept by its full request, so that a restarted pod does not buy it again.

Errors are sentences without any of the text that was sent, and without the key.
"""

import json
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    BadRequestError,
    OpenAIError,
    UnprocessableEntityError,
)
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, SecretStr, ValidationError

from ninefold.api.spending import Price, Spent
from ninefold.llm.protocol import AnswerCache, ModelError, TokenBudget
from ninefold.spending import BudgetSpentError, Purse, SupersededError, Unlimited, What

REFLECTION = What("reflection")
Answer = TypeVar("Answer", bound=BaseModel)


class Chat:
    """One model at one endpoint.

    base_url: up to `/v1`. api_key: None for endpoints that want none. max_tokens: what `budget` may count, prompt and
    answer together. `settings`: where all this stands in a spec, for sentences. `purse`: the run's, in which every call
    is booked as `what`, at `price`. `spent` counts the tokens of this object's calls, as the endpoint reports them.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: SecretStr | None,
        max_tokens: int,
        budget: TokenBudget,
        cache: AnswerCache,
        retries: int = 3,
        timeout: float = 120.0,
        settings: str = "proposals.reflection",
        purse: Purse | None = None,
        what: What = REFLECTION,
        price: Price | None = None,
    ) -> None:
        self._client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key.get_secret_value() if api_key else "none",
            max_retries=retries,
            timeout=timeout,
        )
        self._url, self._model, self._limit = base_url, model, max_tokens
        self._settings = settings
        self._budget, self._cache = budget, cache
        self._purse, self._what, self._price = purse or Unlimited(), what, price
        self.spent = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask(self, instructions: str, data: str, shape: type[Answer], *, answer_tokens: int = 2_000) -> Answer:
        """The model's answer to `instructions` over `data`, as a `shape`; at most `answer_tokens` long.

        Raises ModelError when the budget is spent, the endpoint fails or refuses, or the answer has another shape.
        """
        request = {"endpoint": self._url, "model": self._model, "instructions": instructions, "data": data}
        request["schema"] = json.dumps(_schema(shape), sort_keys=True)
        kept = await self._cache.get(request)
        if kept is not None:
            return shape.model_validate(kept)
        try:
            answer = _parse(await self._complete(request, shape, answer_tokens, as_schema=True), shape)
        except (BadRequestError, UnprocessableEntityError):
            try:
                answer = _parse(await self._complete(request, shape, answer_tokens, as_schema=False), shape)
            except OpenAIError as error:
                raise self._failed(error) from None
        except OpenAIError as error:
            raise self._failed(error) from None
        await self._cache.put(request, answer.model_dump(mode="json"))
        return answer

    async def _complete(
        self, request: dict[str, str], shape: type[BaseModel], answer_tokens: int, *, as_schema: bool
    ) -> ChatCompletion:
        instructions = request["instructions"]
        extra: dict[str, Any]
        if as_schema:
            schema = {"name": shape.__name__, "schema": _schema(shape)}
            extra = {
                "response_format": {"type": "json_schema", "json_schema": schema},
                "max_completion_tokens": answer_tokens,
            }
        else:
            extra = {"max_tokens": answer_tokens}
            instructions += (
                f"\n\nAnswer with one JSON object of this JSON schema and nothing else:\n{request['schema']}"
            )
        # Four bytes a token is the usual rule; a third on top, because a budget must not be passed.
        asked = len((instructions + request["data"]).encode()) // 3 + answer_tokens
        if not await self._budget.reserve(asked, self._limit):
            raise ModelError(
                f"the budget of {self._limit} tokens does not cover another call of about {asked}: "
                f"raise {self._settings}.maxTokens"
            )
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": request["data"]}]
        completion = await self._paid(asked - answer_tokens, answer_tokens, {"messages": messages, **extra})
        self.spent += completion.usage.total_tokens if completion.usage else asked
        return completion

    async def _paid(self, prompt: int, answer: int, body: dict[str, Any]) -> ChatCompletion:
        """One call, booked at its largest and settled at what the endpoint reports."""
        estimate = self._cost(prompt, answer)
        try:
            booking = await self._purse.book(json.dumps(body, sort_keys=True), self._what, estimate)
        except (BudgetSpentError, SupersededError) as error:
            raise ModelError(str(error) or "a newer pod of this stage has taken the work over") from None
        try:
            completion: ChatCompletion = await self._client.chat.completions.create(model=self._model, **body)
        except APITimeoutError:
            raise  # it may have been answered, and paid for
        except APIConnectionError:
            await self._purse.release(booking)
            raise
        except APIStatusError:
            await self._purse.settle(booking, Spent(calls=1))
            raise
        usage = completion.usage
        actual = self._cost(usage.prompt_tokens, usage.completion_tokens) if usage else estimate
        await self._purse.settle(booking, actual)
        return completion

    def _cost(self, prompt: int, answer: int) -> Spent:
        cost = self._price.micro_usd(prompt, answer) if self._price else 0
        return Spent(calls=1, tokens=prompt + answer, micro_usd=cost)

    def _failed(self, error: OpenAIError) -> ModelError:
        if isinstance(error, APITimeoutError):
            what = "did not answer in time"
        elif isinstance(error, APIConnectionError):
            what = "cannot be reached"
        elif isinstance(error, APIStatusError):
            what = f"answered with HTTP status {error.status_code}"
        else:
            what = f"failed ({type(error).__name__})"
        return ModelError(f"the endpoint of model {self._model} {what}: check {self._settings}")


@cache
def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    return shape.model_json_schema()


def _parse(completion: ChatCompletion, shape: type[Answer]) -> Answer:
    """The answer as a `shape`; a code fence or words around the JSON object are left aside."""
    choice = completion.choices[0] if completion.choices else None
    text = (choice.message.content if choice else None) or ""
    start, end = text.find("{"), text.rfind("}")
    try:
        return shape.model_validate_json(text[start : end + 1])
    except ValidationError as error:
        cut = choice is not None and choice.finish_reason == "length"
        what = "was cut off at the answer's limit" if cut else f"has another shape ({error.error_count()} errors)"
        raise ModelError(f"the model's answer {what}") from None
