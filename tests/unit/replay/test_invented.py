"""docs/replay.md: what a run names without support is counted, in its calls and in its answer."""

from ninefold.replay.invented import Called, invented

TOLD = ["Where is order W2378156?", "You help with orders."]


def test_what_was_asked_or_shown_before_it_was_named_is_not_invented() -> None:
    calls = [Called({"order": "W2378156"}, "shipped from wh_north, 1200 g"), Called({"depot": "wh_north"}, "open")]
    assert invented("It left `wh_north` and weighs 1,200 g.", calls, TOLD) == 0


def test_numbers_identifiers_quotations_and_codes_without_support_are_counted_once() -> None:
    calls = [Called({"order": "W9999999", "limit": 25}, None), Called({"order": "W9999999"}, None)]
    assert invented('It left wh_south, "in good order".', calls, TOLD) == 4


def test_a_call_is_judged_by_what_was_known_then_and_a_failed_one_shows_nothing() -> None:
    late = [Called({"depot": "wh_north"}, "no such depot"), Called({}, "depots: wh_north")]
    assert invented(None, late, TOLD) == 1
    assert invented("wh_north", [Called({}, None)], TOLD) == 1


def test_arguments_may_be_json_in_a_text_and_aliases_of_a_statement_are_not_names() -> None:
    shown = Called({}, "columns: pet_age")
    assert invented(None, [shown, Called('{"query": "SELECT T1.pet_age FROM pets AS T1"}', "3")], TOLD) == 0
    assert invented(None, [shown, Called({"query": "SELECT T1.pet_size FROM pets AS T1"}, "3")], TOLD) == 1


def test_of_a_run_that_said_nothing_nothing_is_known() -> None:
    assert invented(None, [], TOLD) is None
