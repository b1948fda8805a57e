"""The rule of rendering: an edit adds one paragraph to its component, in order, where its condition holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.client import metadata_text, render

BASE = {"system": "Be brief."}


def edit(text, component="system", **when):
    return {"component": component, "text": text, **({"when": when} if when else {})}


def test_edits_are_appended_as_paragraphs_in_their_order():
    assert render(BASE, [edit("One."), edit("Two.")]) == {"system": "Be brief.\n\nOne.\n\nTwo."}


def test_a_conditional_edit_applies_only_where_all_its_keys_are_equal():
    edits = [edit("In Rome.", city="rome", tier="gold")]
    assert render(BASE, edits, {"city": "rome", "tier": "gold", "more": 1})["system"].endswith("In Rome.")
    for other in ({"city": "rome"}, {"city": "rome", "tier": "iron"}, {}, None):
        assert render(BASE, edits, other) == BASE


def test_an_empty_condition_is_none():
    assert render(BASE, [{"component": "system", "text": "X", "when": {}}], None)["system"].endswith("X")


@pytest.mark.parametrize(
    ("value", "text"),
    [("7", "7"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), (None, "null"), (["b", 1], '["b",1]'), ("é", "é")],
)
def test_metadata_is_compared_as_text_so_that_int_and_float_mean_the_same(value, text):
    assert metadata_text(value) == text
    assert render(BASE, [edit("Hit.", key=text)], {"key": value})["system"].endswith("Hit.")


def test_an_edit_creates_a_missing_context_or_fallback_after_the_baseline_components():
    texts = render(
        BASE, [edit("Facts.", "context.facts"), edit("More.", "context.facts"), edit("Ask.", "fallback.ask")]
    )
    assert list(texts.items()) == [
        ("system", "Be brief."),
        ("context.facts", "Facts.\n\nMore."),
        ("fallback.ask", "Ask."),
    ]


def test_an_edit_of_a_missing_tool_is_refused_even_where_its_condition_does_not_hold():
    with pytest.raises(
        ValueError, match=r"edits\[1\] changes the component tool.find, which the baseline does not have"
    ):
        render(BASE, [edit("One."), edit("Find.", "tool.find", city="rome")], None)


def test_braces_and_percent_signs_in_texts_are_only_text():
    assert render({"system": "{x} %s $y"}, [edit("{{ z }}")])["system"] == "{x} %s $y\n\n{{ z }}"


names = st.sampled_from(["system", "tool.find", "context.facts", "fallback.ask"])
conditions = st.dictionaries(st.sampled_from(["city", "tier"]), st.sampled_from(["rome", "1"]), max_size=2)
edits_lists = st.lists(
    st.fixed_dictionaries({"component": names, "text": st.text(min_size=1), "when": conditions}), max_size=6
)
baselines = st.fixed_dictionaries({"system": st.text(), "tool.find": st.text()})
metadatas = st.none() | st.dictionaries(st.sampled_from(["city", "tier", "x"]), st.sampled_from(["rome", "1", 1, True]))


@settings(max_examples=60, deadline=None)
@given(baselines, edits_lists, metadatas)
def test_rendering_is_the_baseline_with_the_texts_of_the_edits_that_apply(components, edits, metadata):
    texts = render(components, edits, metadata)
    hit = [
        e
        for e in edits
        if all((metadata or {}).get(k) is not None and metadata_text(metadata[k]) == v for k, v in e["when"].items())
    ]
    for name, text in texts.items():
        parts = [components[name]] if name in components else []
        assert text == "\n\n".join(parts + [e["text"] for e in hit if e["component"] == name])
    assert set(texts) == set(components) | {e["component"] for e in hit}


@settings(max_examples=60, deadline=None)
@given(baselines, edits_lists, metadatas)
def test_an_edit_whose_condition_does_not_hold_leaves_no_trace(components, edits, metadata):
    before = render(components, edits, metadata)
    with_null = render(
        components, [*edits, {"component": "system", "text": "Null.", "when": {"city": "nowhere"}}], metadata
    )
    assert before == with_null
