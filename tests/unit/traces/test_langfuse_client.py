"""What our client does when a Langfuse server is busy, down, refusing or somebody else."""

import socket
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from langfuse_clients import HOST, Wire
from pydantic import SecretStr

from ninefold.traces import TracesProblem
from ninefold.traces.langfuse.client import Absent, Client, TooLarge, seconds_until
from standins.langfuse import Answer, Project, StandIn, serving
from standins.langfuse.answers import SECRET_KEY

TRACES = "/api/public/traces"
BUSY = Answer(429, {"message": "Rate limit exceeded"}, {"Retry-After": "17"})


def a_wire(*faults: Answer) -> Wire:
    return Wire(StandIn(Project(), "v3", faults=deque(faults)))


def test_a_busy_server_is_asked_again_after_the_time_that_it_names() -> None:
    wire = a_wire(BUSY, BUSY)
    assert wire.client().get(TRACES)["data"] == []
    assert wire.pauses == [17, 17]


def test_a_client_that_has_used_up_its_limit_waits_before_it_asks_again() -> None:
    spent = Answer(200, {"data": []}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"})
    wire = a_wire(spent)
    wire.client().get(TRACES)
    assert wire.pauses == [9]


def test_a_limit_that_does_not_end_is_told_and_may_pass() -> None:
    with pytest.raises(TracesProblem, match="rate limit") as told:
        a_wire(*[BUSY] * 30).client().get(TRACES)
    assert (told.value.reason, told.value.permanent) == ("RateLimited", False)


@pytest.mark.parametrize("status", [500, 502, 504, 524])
def test_what_passes_is_tried_again_with_growing_pauses(status: int) -> None:
    wire = a_wire(Answer(status, {}), Answer(status, {}))
    assert wire.client().get(TRACES)["data"] == []
    assert wire.pauses == [2, 4]


def test_a_server_that_fails_three_times_may_have_been_asked_for_too_much() -> None:
    with pytest.raises(TooLarge) as told:
        a_wire(*[Answer(500, {})] * 3).client().get(TRACES)
    assert told.value.problem is not None
    assert told.value.problem.reason == "BackendUnavailable"


@pytest.mark.parametrize("status", [413, 422])
def test_a_page_that_the_server_calls_too_large_is_not_asked_for_twice(status: int) -> None:
    wire = a_wire(Answer(status, {}))
    with pytest.raises(TooLarge):
        wire.client().get(TRACES)
    assert len(wire.stand_in.asked) == 1


def test_an_answer_that_does_not_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ninefold.traces.langfuse.client.MAX_BYTES", 100)
    with pytest.raises(TooLarge):
        a_wire(Answer(200, {"data": ["x" * 200]})).client().get(TRACES)


@pytest.mark.parametrize(
    ("fault", "reason", "says"),
    [
        (Answer(401, {}), "WrongKeys", "must name a key pair of a project on this very server"),
        (Answer(403, {}), "Forbidden", "use a key pair of the project, not of the organisation"),
        (Answer(302, {}, {"Location": "https://login.example.com/x"}), "Redirected", "to https://login.example.com"),
        (Answer(200, "<html>Welcome</html>"), "NotLangfuse", "write the address of the Langfuse server itself"),
        (Answer(400, {}), "RequestRefused", "set langfuse.api to V4 or V1"),
    ],
)
def test_a_refusal_says_what_to_mend(fault: Answer, reason: str, says: str) -> None:
    with pytest.raises(TracesProblem) as told:
        a_wire(fault).client().get(TRACES)
    assert told.value.reason == reason
    assert told.value.permanent
    assert says in told.value.message
    assert HOST in told.value.message
    assert SECRET_KEY not in told.value.message


def test_a_route_that_is_not_there_tells_langfuses_reason_but_no_page_of_html() -> None:
    with pytest.raises(Absent) as told:
        a_wire().client().get("/api/public/v2/observations")
    assert told.value.told is not None
    assert "v4 write mode" in told.value.told
    with pytest.raises(Absent) as told:
        Wire(StandIn(Project(), "v2")).client().get("/api/public/v2/observations")
    assert told.value.told is None


def test_keys_are_not_sent_to_where_a_server_redirects() -> None:
    wire = a_wire(Answer(307, {}, {"Location": "https://elsewhere.example.com/api"}))
    with pytest.raises(TracesProblem):
        wire.client().get(TRACES)
    assert len(wire.stand_in.asked) == 1


def test_a_wrong_key_is_told_by_the_stand_in_too() -> None:
    with pytest.raises(TracesProblem) as told:
        a_wire().client(secret="sk-lf-wrong").get(TRACES)
    assert told.value.reason == "WrongKeys"


def a_client(host: str) -> Client:
    return Client(host, SecretStr("pk"), SecretStr("sk"), sleep=lambda seconds: None)


def test_tls_to_a_server_that_speaks_none_is_told_as_such() -> None:
    with serving(StandIn(Project())) as address, pytest.raises(TracesProblem) as told:
        a_client(address.replace("http:", "https:")).get(TRACES)
    assert (told.value.reason, told.value.permanent) == ("TlsFailed", True)


def test_a_port_at_which_nobody_listens_is_told_as_such_and_may_pass() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        with pytest.raises(TracesProblem) as told:
            a_client(f"http://127.0.0.1:{taken.getsockname()[1]}").get(TRACES)
    assert (told.value.reason, told.value.permanent) == ("Unreachable", False)


def test_a_slow_answer_may_be_a_page_that_is_too_large() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    client = Client(HOST, SecretStr("pk"), SecretStr("sk"), lambda seconds: None, httpx.MockTransport(slow))
    with pytest.raises(TooLarge) as told:
        client.get(TRACES)
    assert told.value.problem is not None
    assert "no answer within 120 s" in told.value.problem.message


def test_the_moment_until_which_to_wait_is_read_as_seconds_or_as_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert seconds_until("5") == 5
    assert 90 < seconds_until(format_datetime(soon, usegmt=True)) <= 100
    assert 90 < seconds_until(soon.isoformat()) <= 100
    assert seconds_until("soon") == seconds_until(None) == seconds_until("Mon, 01 Jan 2024 00:00:00 GMT") == 0
