"""What is taken out before anything is stored or sent (docs/backends.md, "Privacy")."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_builders import START

from ninefold.api.tracebackend import USER_HASH_KEY, Capabilities, Privacy
from ninefold.traces import TracesProblem, Window
from ninefold.traces.assemble import assemble
from ninefold.traces.glance import glance
from ninefold.traces.model import Message, Span, TraceRecord
from ninefold.traces.private import Private
from ninefold.traces.redaction import RULES, Redactor

KEY = {USER_HASH_KEY: "0123456789abcdef0123456789abcdef"}
WITH_KEY = {"userHashKeySecretRef": {"name": "privacy", "key": "user-hash"}}


def redacted(text: str, **privacy: Any) -> str:
    return Redactor(Privacy.model_validate(privacy), Counter()).text(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to jane.doe+x@mail.example.org.", "write to <mail>."),
        ("call +49 30 1234567 or (212) 555-0123", "call <phone> or <phone>"),
        ("[(9, '00230569697'), (3, '+71(6)2898266914')]", "[(9, '<phone>'), (3, '<phone>')]"),
        ("1-332-849-1908, 328.842.3792, 1-626-264-7659x1697", "<phone>, <phone>, <phone>"),
        ("(230)338-3342x585 or 0049 30 1234567", "<phone> or <phone>"),
        ("card 4111 1111 1111 1111", "card <card>"),
        ("card 4111-1111-1111-1111", "card <card>"),
        ("to DE89 3704 0044 0532 0130 00 please", "to <iban> please"),
        ("from 10.1.2.3 and fe80::1ff:fe23:4567:890a", "from <ip> and <ip>"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer <token>"),
        ("key sk-proj-abcdefghijklmnop1234", "key <token>"),
        ("jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl", "jwt <token>"),
    ],
)
def test_what_identifies_somebody_is_taken_out(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112",  # wrong check digit
        "DE88 3704 0044 0532 0130 00",  # wrong check digits
        "order 1234567890123, item 00042",
        "version 1.2.3.400 of 12:30:45 on 2026-11-23 10:00:00",
        "WHERE id = 20240516 AND price < 1299.99",
        "0000 0000 0000 0000",
        "[0.0012345678, 1.0098765432, 1,0012345678]",  # fractions
        "balance +1234567.89, id 0012345678, moves +1 2 3 4 5 6 7 8",
        "123-45-6789 and 20240516-123-4567 and 1.23.456.7890",
        "user@localhost sk-short",
    ],
)
def test_numbers_that_only_look_alike_stay(text: str) -> None:
    assert redacted(text) == text


def test_only_the_rules_that_are_named_apply_and_patterns_of_ones_own_too() -> None:
    text = "K-12345 of jane@example.org at 10.1.2.3"
    own = {"name": "customer", "pattern": r"\bK-\d+\b"}
    assert redacted(text, redact=["Ip"], patterns=[own]) == "<customer> of jane@example.org at <ip>"
    assert redacted(text, redact=[]) == text


def test_a_pattern_that_is_no_regular_expression_is_a_sentence() -> None:
    with pytest.raises(TracesProblem, match=r"the pattern customer is no regular expression \(.* at position 0\)"):
        redacted("", patterns=[{"name": "customer", "pattern": "("}])


def test_arguments_stay_json() -> None:
    redactor = Redactor(Privacy(patterns=[{"name": "all", "pattern": "secret.*"}]), Counter())  # type: ignore[list-item]
    args = json.dumps({"to": "jane@example.org", "card": 4111111111111111, "note": "secret, yes", "n": 7})
    assert json.loads(redactor.arguments(args)) == {"to": "<mail>", "card": "<card>", "note": "<all>", "n": 7}


class Traces:
    """A backend that holds what it is given."""

    def __init__(self, *records: TraceRecord) -> None:
        self.losses: Counter[str] = Counter()
        self._records = records

    def probe(self) -> Capabilities:
        return Capabilities(files=0, bytes=0, traces=1, agents=["jane@example.org"])

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from self._records


def a_private_trace(**fields: Any) -> TraceRecord:
    asked = Message("user", "I am jane@example.org")
    tool = Span("t", "b", START, START, "a", kind="tool", tool_name="find", args='{"mail":"jane@example.org"}')
    tool.result, tool.failed, tool.error_message = "10.1.2.3", True, "no jane@example.org"
    llm = Span("t", "a", START, START, kind="llm", messages=(asked,), output=(Message("assistant", "+49 30 1234567"),))
    llm.system, llm.metadata, llm.user_id = "You serve jane@example.org", {"who": "jane@example.org"}, "u-1"
    for name, value in fields.items():
        setattr(llm, name, value)
    return assemble([llm, tool], Counter())


def test_nothing_of_it_is_left_anywhere_in_a_trace() -> None:
    backend = Private(Traces(a_private_trace(session_id="jane@example.org")), Privacy(), {})
    (record,) = backend.read(Window(0, 2**63))
    told = repr(record)
    assert not any(secret in told for secret in ("jane", "10.1.2.3", "1234567"))
    assert backend.losses["redacted_mail"] > 0 and backend.probe().agents == ["<mail>"]
    assert record.steps[0].messages_in_hash in record.messages


def test_sessions_stay_apart_when_their_ids_are_taken_out() -> None:
    people = (a_private_trace(session_id=f"{who}@example.org") for who in ("jane", "joe"))
    sessions = [r.session_id for r in Private(Traces(*people), Privacy(), {}).read(Window(0, 2**63))]
    assert len(set(sessions)) == 2


def test_users_are_hashed_with_a_key_or_left_out() -> None:
    def user(secrets: dict[str, str], **privacy: Any) -> str | None:
        backend = Private(Traces(a_private_trace()), Privacy.model_validate(privacy), secrets)
        return next(backend.read(Window(0, 2**63))).user_hash

    assert user({}) is None
    hashed = user(KEY, **WITH_KEY)
    assert hashed and hashed == user(KEY, **WITH_KEY) and hashed != user({USER_HASH_KEY: "f" * 32}, **WITH_KEY)


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(TracesProblem, match="has 3 bytes: write at least 16 random ones"):
        Private(Traces(), Privacy.model_validate(WITH_KEY), {USER_HASH_KEY: "abc"})


_PIECES = (
    "jane.doe@mail.example.org", "+49 30 1234567", "(212) 555-0123", "0049 30 1234567", "328.842.3792",
    "4111 1111 1111 1111", "4111111111111111", "DE89 3704 0044 0532 0130 00", "GB33BUKB20201555555555", "10.1.2.3",
    "fe80::1ff:fe23:4567:890a", "::1", "Bearer abc.def-123456", "sk-proj-abcdefghijklmnop1234",
    "ghp_abcdefghijklmnop1234", "ya29.abcdefghijklmnop1234",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", "-----BEGIN PRIVATE KEY-----MIIabc=", "ord_000123456", "٤١١١١١١١١١١١١١١١",
)  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text('0123456789+-./ ():@abAB_"ü', max_size=24)), max_size=4))
def test_a_glance_never_misses_what_a_rule_would_find(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert {name for name, (pattern, _) in RULES.items() if pattern.search(text)} <= glance(text)


def test_a_glance_spares_the_rules_ordinary_text() -> None:
    assert not glance('{"order": "ord_482913", "state": "in the hub since Monday", "price": 17.5, "items": [1, 2]}')
