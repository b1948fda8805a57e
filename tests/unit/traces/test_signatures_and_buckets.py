"""Equal mistakes have equal signatures; sessions stay in their bucket for ever."""

from collections import Counter

import pytest

from ninefold.traces import bucket_of, signature_of


class TestSignatures:
    @pytest.mark.parametrize(
        ("message", "signature"),
        [
            ("Room 'vault.north' doesn't exist", "Room <str> doesn't exist"),
            ("KeyError: \"a 'b' c\"", "KeyError: <str>"),
            ("Timeout after 30.5 s (attempt 3)", "Timeout after <n> s (attempt <n>)"),
            ("user jane.doe@example.org not found", "user <mail> not found"),
            ("order 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is closed", "order <id> is closed"),
            ("object 0xdeadbeef at 5f3a9c1b22", "object <id> at <id>"),
            ("GET https://example.org/a?b=1 gave 404", "GET <url> gave <n>"),
            ("near 'x = 'abc'' at line 1", "near <str> at line <n>"),
            ("broken\n\nlong help that varies", "broken"),
            ("`rooms`  is\nempty", "<str> is empty"),
        ],
    )
    def test_what_varies_is_masked(self, message: str, signature: str) -> None:
        assert signature_of(message) == signature

    def test_a_signature_is_short(self) -> None:
        assert len(signature_of("word " * 500)) <= 160


class TestBuckets:
    def test_sessions_fall_60_20_20(self) -> None:
        counts = Counter(bucket_of(f"session-{n}") for n in range(10_000))
        assert abs(counts["analysis"] - 6000) < 200
        assert abs(counts["selection"] - 2000) < 160
        assert abs(counts["sealed"] - 2000) < 160

    def test_a_session_never_moves(self) -> None:
        # A change here would unseal cases that were judged by: it needs a migration, not a new expectation.
        found = {session: bucket_of(session) for session in ("task-0", "task-1", "task-10", "ünïcode")}
        assert found == {"task-0": "analysis", "task-1": "selection", "task-10": "sealed", "ünïcode": "sealed"}
