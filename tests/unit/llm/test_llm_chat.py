"""Chat asks any OpenAI-compatible endpoint for an answer of a given shape, within a budget, and buys nothing twice."""

import pytest
from model_standin import CountingBudget, CountingPurse, MemoryCache, StandIn, model_standin, refuses, says
from pydantic import BaseModel, SecretStr

from ninefold.api.spending import Price, Spent
from ninefold.llm import Chat, ModelError
from ninefold.spending import BudgetSpentError, What


class City(BaseModel):
    city: str


async def ask(standin: StandIn, *, budget=None, cache=None, limit=100_000, retries=2, key: str | None = "k-1"):
    chat = Chat(
        standin.url,
        "m-1",
        api_key=SecretStr(key) if key else None,
        max_tokens=limit,
        budget=budget or CountingBudget(),
        cache=cache or MemoryCache(),
        retries=retries,
    )
    async with chat:
        return (await chat.ask("Name the city.", "<data>Rome</data>", City, answer_tokens=50)), chat.spent


async def test_the_shape_is_sent_as_a_schema_and_the_key_as_a_bearer_token():
    with model_standin(lambda body: says('{"city": "Rome"}', tokens=77)) as standin:
        assert await ask(standin) == (City(city="Rome"), 77)
    request = standin.requests[0]
    assert request["response_format"]["json_schema"]["schema"] == City.model_json_schema()
    assert [m["role"] for m in request["messages"]] == ["system", "user"]
    assert request["max_completion_tokens"] == 50
    assert standin.headers[0]["authorization"] == "Bearer k-1"


async def test_an_endpoint_that_refuses_response_format_is_asked_the_plain_way():
    def answer(body):
        return refuses(400) if "response_format" in body else says('Sure:\n```json\n{"city": "Rome"}\n```')

    with model_standin(answer) as standin:
        city, _ = await ask(standin)
    assert city == City(city="Rome")
    assert '"city"' in standin.requests[1]["messages"][0]["content"] and standin.requests[1]["max_tokens"] == 50


async def test_passing_failures_are_tried_again():
    replies = iter([refuses(429), refuses(503), says('{"city": "Rome"}')])
    with model_standin(lambda body: next(replies)) as standin:
        city, _ = await ask(standin)
    assert city == City(city="Rome") and len(standin.requests) == 3


async def test_an_answer_that_was_bought_is_not_bought_again():
    cache = MemoryCache()
    with model_standin(lambda body: says('{"city": "Rome"}')) as standin:
        await ask(standin, cache=cache)
        assert await ask(standin, cache=cache) == (City(city="Rome"), 0)
    assert len(standin.requests) == 1


async def test_the_budget_is_reserved_before_the_call():
    budget = CountingBudget()
    with model_standin(lambda body: says('{"city": "Rome"}')) as standin:
        await ask(standin, budget=budget, limit=100)
        with pytest.raises(ModelError, match=r"budget of 100 tokens .* raise proposals\.reflection\.maxTokens"):
            await ask(standin, budget=budget, limit=100)
    assert len(standin.requests) == 1 and 50 < budget.reserved <= 100


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (refuses(401, "bad key k-1"), r"model m-1 answered with HTTP status 401: check proposals\.reflection"),
        (refuses(400), "HTTP status 400"),
        (refuses(500), "HTTP status 500"),
        (says('{"town": "Rome"}'), r"has another shape \(1 errors\)"),
        (says("I cannot do that."), "has another shape"),
        (says('{"city": "Ro', finish="length"), "was cut off at the answer's limit"),
        ((200, {"choices": []}), "has another shape"),
    ],
)
async def test_every_failure_is_a_sentence_without_key_or_text(reply, sentence):
    cache = MemoryCache()
    with model_standin(lambda body: reply) as standin, pytest.raises(ModelError, match=sentence) as failure:
        await ask(standin, cache=cache, retries=0)
    assert "k-1" not in str(failure.value) and "Rome" not in str(failure.value)
    assert cache.answers == {}


async def test_an_endpoint_that_is_not_there_is_a_sentence():
    with pytest.raises(ModelError, match="cannot be reached"):
        await ask(StandIn("http://127.0.0.1:9/v1"), retries=0)


async def test_a_call_is_booked_in_the_purse_of_the_run_and_settled_at_what_it_took():
    purse, price = CountingPurse(), Price(promptUsdPer1k=0.001, completionUsdPer1k=0.002)
    with model_standin(lambda body: says('{"city": "Rome"}', tokens=1001)) as standin:
        chat = Chat(
            standin.url,
            "m-1",
            api_key=None,
            max_tokens=100_000,
            budget=CountingBudget(),
            cache=MemoryCache(),
            purse=purse,
            what=What("judge"),
            price=price,
        )
        async with chat:
            await chat.ask("Name the city.", "data", City)
    assert purse.lines == {"judge": Spent(calls=1, tokens=1001, micro_usd=1002)}


async def test_what_the_purse_refuses_is_not_asked_and_says_which_limit():
    class Empty(CountingPurse):
        async def book(self, call, what, estimate):
            raise BudgetSpentError("$5.00 of the $5.00 of budget.costUsd are spent in this run")

    with model_standin(lambda body: says('{"city": "Rome"}')) as standin:
        chat = Chat(
            standin.url,
            "m-1",
            api_key=None,
            max_tokens=9999,
            budget=CountingBudget(),
            cache=MemoryCache(),
            purse=Empty(),
        )
        async with chat:
            with pytest.raises(ModelError, match=r"budget\.costUsd"):
                await chat.ask("Name the city.", "data", City)
    assert standin.requests == []
