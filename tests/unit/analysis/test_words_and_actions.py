"""Calls and results are read without knowing any language of any tool."""

import json
from collections.abc import Iterable

import numpy as np
import pytest

from ninefold.analysis.actions import frame, signatures
from ninefold.analysis.words import identifiers, one_word, readable, values


def named(calls: Iterable[tuple[str, str, str]]) -> list[str]:
    """The signature of each call, given as (task, tool, arguments)."""
    tasks, tools, args = zip(*calls, strict=True)
    kinds = [(tool, frame(text)) for tool, text in zip(tools, args, strict=True)]
    own = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
    numbers = np.unique(tasks, return_inverse=True)[1]
    found = signatures(list(own), np.array([own[kind] for kind in kinds]), numbers)
    return [found[own[kind]] for kind in kinds]


class TestWords:
    def test_identifiers_are_names_outside_quotes(self) -> None:
        args = json.dumps({"command": "open Vault_1 for 'Jane Doe' at \"ten\" or `annex`", "floor": 3})
        assert identifiers(args) == {"open", "vault_1", "for", "at", "or", "annex"}

    @pytest.mark.parametrize("value", ["vault", "Vault_12", "überraum", "T1"])
    def test_names_are_one_word(self, value: str) -> None:
        assert one_word(value)

    @pytest.mark.parametrize(
        "value", ["2024", "2024-05-01", "a@b.org", "two words", "order_48213", "X7K2PQ", "", "a" * 65, "3.14"]
    )
    def test_what_looks_like_user_data_is_no_name(self, value: str) -> None:
        assert not one_word(value)

    @pytest.mark.parametrize(
        ("result", "leaves"),
        [
            ('["a", "b"]', [("[*]", "a"), ("[*]", "b")]),
            ("[('a', 'x', 1), ('b', 'y', 2)]", [("[*][0]", "a"), ("[*][1]", "x"), ("[*][0]", "b"), ("[*][1]", "y")]),
            ('[["a", "x"]]', [("[*][0]", "a"), ("[*][1]", "x")]),
            ('{"rooms": [{"name": "a"}]}', [("{}", "rooms"), (".rooms[*]{}", "name"), (".rooms[*].name", "a")]),
            (
                "[('a', 'x'), ('b', 'y'), ('c', 'cut of",
                [("[*][0]", "a"), ("[*][1]", "x"), ("[*][0]", "b"), ("[*][1]", "y")],
            ),
            ("rooms: a, b", [("text", "rooms"), ("text", "a"), ("text", "b")]),
            ("[unreadable", [("text", "unreadable")]),
            ("", []),
        ],
    )
    def test_values_of_a_result_have_paths(self, result: str, leaves: list[tuple[str, str]]) -> None:
        assert values(result) == leaves

    @pytest.mark.parametrize(
        ("args", "text"),
        [
            ('{"command":"list\\n  rooms;"}', "list rooms"),
            ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
            ('{"a":"x","b":1}', '{"a":"x","b":1}'),
            ("list rooms", "list rooms"),
            ("{}", "museum"),
        ],
    )
    def test_arguments_as_a_person_reads_them(self, args: str, text: str) -> None:
        assert readable("museum", args) == text


class TestSignatures:
    def test_the_leading_word_says_what_is_done(self) -> None:
        commands = [json.dumps({"command": c}) for c in ("list rooms", "Open the vault", "list guides now")]
        assert named((f"task-{n}", "museum", c) for n in range(6) for c in commands)[:3] == [
            "museum(command=list …)",
            "museum(command=open …)",
            "museum(command=list …)",
        ]

    def test_values_of_one_case_are_masked(self) -> None:
        calls = [json.dumps({"user": f"user_{n}", "mode": "short", "n": n, "deep": True, "tags": []}) for n in range(9)]
        found = named((f"task-{n}", "find", c) for n, c in enumerate(calls))
        assert found[3] == "find(deep=true, mode=short, n=<n>, tags=[], user=…)"

    def test_a_word_that_few_tasks_share_is_masked(self) -> None:
        calls = [("one-task", "find", json.dumps({"text": "jane was here"})) for _ in range(50)]
        assert set(named(calls)) == {"find(text=…)"}

    def test_prose_has_no_leading_word(self) -> None:
        words = ("the", "I", "since", "well", "now", "so", "user", "maybe", "then", "yes")
        calls = [(f"t{n}", "think", json.dumps({"thought": f"{words[n % 10]} {n}, I think"})) for n in range(60)]
        rare = [(f"r{n}", "think", json.dumps({"thought": f"word{n} comes once"})) for n in range(30)]
        assert named(calls + rare)[0] == "think(thought=…)"

    def test_arguments_that_are_no_object_are_one_text(self) -> None:
        calls = [(f"t{n}", "shell", "ls -l") for n in range(6)]
        assert named([*calls, ("t", "now", "")])[5:] == ["shell(ls …)", "now()"]
