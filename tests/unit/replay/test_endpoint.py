"""docs/replay.md: what is sent to the agent's staging endpoint, and how its answers are read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from ninefold.api.artifacts import canonical, sha256
from ninefold.replay import Answer, Endpoint, PassingError, RejectedError, Request
from ninefold.replay.endpoint import MAX_ANSWER_BYTES
from ninefold.replay.sketch import sketch

from .conftest import Reply, Staging

REQUEST = Request("case-1", "A room for two", {"hotel": "Ritz"}, {"system": "You book rooms."}, 7)


@pytest_asyncio.fixture
async def endpoint(staging: Staging) -> AsyncIterator[Endpoint]:
    async with Endpoint(staging.url, SecretStr("sk-1"), 5, model="m", connections=4) as open_endpoint:
        yield open_endpoint


async def test_a_case_is_posted_with_its_components_the_key_and_an_idempotency_key(
    staging: Staging, endpoint: Endpoint
) -> None:
    await endpoint.replay(REQUEST)
    assert staging.requests == [
        {
            "case_id": "case-1",
            "input": "A room for two",
            "metadata": {"hotel": "Ritz"},
            "components": {"system": "You book rooms."},
            "seed": 7,
        }
    ]
    assert staging.headers[0]["authorization"] == "Bearer sk-1"
    assert staging.headers[0]["idempotency-key"] == sha256(canonical(staging.requests[0]))


async def test_without_a_key_none_is_sent(staging: Staging) -> None:
    async with Endpoint(staging.url, None, 5, model="m", connections=1) as endpoint:
        await endpoint.replay(REQUEST)
    assert "authorization" not in staging.headers[0]


async def test_of_the_answer_scores_and_counts_are_kept_and_no_content(endpoint: Endpoint) -> None:
    answer = await endpoint.replay(REQUEST)
    assert answer.millis is not None and answer.millis >= 0
    assert Answer.model_validate(answer.wire()) == Answer(
        scores={"solved": 1.0, "tone": 0.5},
        steps=2,
        error_steps=1,
        tokens=100,
        sketch=sketch("Room 7"),
        millis=answer.millis,
    )
    assert answer.said() == "Room 7"
    assert "Room" not in answer.model_dump_json()


async def test_scores_may_be_booleans_or_null_and_all_but_scores_may_be_absent(
    staging: Staging, endpoint: Endpoint
) -> None:
    staging.answer = lambda _: Reply({"scores": {"solved": True, "tone": None}})
    answer = await endpoint.replay(REQUEST)
    assert answer == Answer(scores={"solved": 1.0}, millis=answer.millis)


async def test_what_comes_from_the_memory_of_the_endpoint_has_no_time(staging: Staging, endpoint: Endpoint) -> None:
    staging.answer = lambda _: Reply({"scores": {"solved": 1}}, 200, {"Idempotent-Replayed": "true"})
    assert (await endpoint.replay(REQUEST)).millis is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_status_that_may_pass_is_a_passing_error(staging: Staging, endpoint: Endpoint, status: int) -> None:
    staging.answer = lambda _: Reply({}, status)
    with pytest.raises(PassingError, match=f"^HTTP {status}$") as raised:
        await endpoint.replay(REQUEST)
    assert raised.value.wait == 0


async def test_retry_after_is_read_as_seconds_or_as_a_date(staging: Staging, endpoint: Endpoint) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    waits = []
    for value in ("17", date, "soon"):
        staging.answer = lambda _, value=value: Reply({}, 429, {"Retry-After": value})  # type: ignore[misc]
        with pytest.raises(PassingError) as raised:
            await endpoint.replay(REQUEST)
        waits.append(raised.value.wait)
    assert waits == [17, pytest.approx(3600, abs=30), 0]


async def test_no_answer_in_time_is_a_passing_error(staging: Staging) -> None:
    staging.answer = lambda _: Reply({}, hold=True)
    async with Endpoint(staging.url, None, 0.05, model="m", connections=1) as endpoint:
        with pytest.raises(PassingError, match=r"no answer within 0\.05 s"):
            await endpoint.replay(REQUEST)


async def test_nobody_there_is_a_passing_error(staging: Staging) -> None:
    url = staging.url.replace("/replay", "")
    port = int(url.rsplit(":", 1)[1])
    async with Endpoint(f"http://127.0.0.2:{port}/", None, 5, model="m", connections=1) as endpoint:
        with pytest.raises(PassingError, match="no connection"):
            await endpoint.replay(REQUEST)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"code": "context_length_exceeded", "message": "of Jane"}}, "HTTP 400 context_length_exceeded"),
        ({"error": {"type": "invalid_request_error"}}, "HTTP 400 invalid_request_error"),
        ({"error": "Jane Doe, 12 Elm Street"}, "HTTP 400"),
        ({"error": None}, "HTTP 400"),
        (b"<html>", "HTTP 400"),
        ([], "HTTP 400"),
    ],
)
async def test_of_an_error_only_the_status_and_a_plain_code_are_told(
    staging: Staging, endpoint: Endpoint, body: Any, told: str
) -> None:
    staging.answer = lambda _: Reply(body, 400)
    with pytest.raises(RejectedError) as raised:
        await endpoint.replay(REQUEST)
    assert (raised.value.reason, raised.value.status) == (told, 400)


async def test_a_redirect_is_not_followed_for_the_key_would_go_along(staging: Staging, endpoint: Endpoint) -> None:
    staging.answer = lambda _: Reply(b"", 307, {"Location": staging.url})
    with pytest.raises(RejectedError, match=r"^HTTP 307$"):
        await endpoint.replay(REQUEST)
    assert len(staging.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"scores": {"solv', "the whole: json invalid"),
        (b"", "the whole: json invalid"),
        ([], "the whole: model type"),
        ({"output": "Room 7", "scores": None}, "scores: dict type"),
        ({"scores": {"of Jane": "high"}}, "scores: float parsing"),
        (b'{"scores": {"solved": NaN}}', "scores: finite number"),
        ({"scores": {}, "steps": "three"}, "steps: list type"),
        ({"scores": {}, "usage": {"prompt_tokens": -1}}, "usage: greater than equal"),
    ],
)
async def test_an_answer_that_is_not_of_the_contract_is_rejected_without_quoting_it(
    staging: Staging, endpoint: Endpoint, body: Any, told: str
) -> None:
    staging.answer = lambda _: Reply(body)
    with pytest.raises(RejectedError) as raised:
        await endpoint.replay(REQUEST)
    assert (raised.value.reason, raised.value.status) == (f"the answer is not of the contract: {told}", 0)


async def test_an_endless_answer_is_cut_off(staging: Staging, endpoint: Endpoint) -> None:
    staging.answer = lambda _: Reply(b" " * (MAX_ANSWER_BYTES + 1))
    with pytest.raises(RejectedError, match="larger than 16 MiB"):
        await endpoint.replay(REQUEST)


def test_the_name_for_the_user_is_the_host() -> None:
    assert Endpoint("https://staging.example:8443/replay?x=1", None, 1, model="m", connections=1).name == (
        "staging.example:8443"
    )
