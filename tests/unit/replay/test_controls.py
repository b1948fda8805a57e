"""docs/replay.md, "Controls": arms that change the request and cannot help."""

from builders import a_content, an_edit

from ninefold.replay import null_edit, wrong_key
from ninefold.versions import rendered


def test_a_null_edit_changes_the_request_and_says_nothing() -> None:
    edit = null_edit(a_content())
    assert rendered(a_content(edit))["system"] == rendered(a_content())["system"] + "\n\n---"


def test_without_a_system_prompt_it_goes_to_the_first_component() -> None:
    assert null_edit(a_content(tool_search="Search.", tool_book="Book.")).component == "tool.book"


def test_every_fact_gets_a_condition_that_is_not_its_own() -> None:
    edits = [an_edit(f"facts of {name}", when={"hotel": name}) for name in ("a", "b", "c", "d", "e")]
    moved = {edit.text: edit.when for edit in wrong_key(edits)}
    assert len(moved) == 5
    assert sorted(when["hotel"] for when in moved.values() if when) == ["a", "b", "c", "d", "e"]
    assert all(when != {"hotel": text.removeprefix("facts of ")} for text, when in moved.items())
    assert wrong_key(list(reversed(edits))) == list(reversed(wrong_key(edits)))


def test_edits_of_one_condition_move_together() -> None:
    edits = [
        an_edit("tables of a", when={"hotel": "a"}),
        an_edit("columns of a", when={"hotel": "a"}),
        an_edit("tables of b", when={"hotel": "b"}),
    ]
    assert [(edit.text, edit.when) for edit in wrong_key(edits)] == [
        ("tables of a", {"hotel": "b"}),
        ("columns of a", {"hotel": "b"}),
        ("tables of b", {"hotel": "a"}),
    ]


def test_advice_that_may_help_anywhere_is_no_wrong_fact() -> None:
    edits = [
        an_edit("Look before you book."),
        an_edit("Ask twice.", when={"hotel": "a"}),
        an_edit("Ask twice.", when={"hotel": "b"}),
        an_edit("facts of a", when={"hotel": "a"}),
        an_edit("facts of b", when={"hotel": "b"}),
    ]
    assert [edit.text for edit in wrong_key(edits)] == ["facts of a", "facts of b"]


def test_conditions_are_exchanged_among_those_with_the_same_keys() -> None:
    edits = [
        an_edit("facts of a", when={"hotel": "a"}),
        an_edit("facts of a in German", when={"hotel": "a", "language": "de"}),
        an_edit("facts of b", when={"hotel": "b"}),
    ]
    assert [edit.when for edit in wrong_key(edits)] == [{"hotel": "b"}, {"hotel": "a"}]


def test_without_two_conditions_there_is_nothing_to_exchange() -> None:
    assert wrong_key([]) == []
    assert wrong_key([an_edit("Look before you book.")]) == []
    assert wrong_key([an_edit("facts of a", when={"hotel": "a"})]) == []
