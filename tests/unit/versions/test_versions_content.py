"""The hash of a version covers what an agent can come to read, in order, and nothing else."""

import pytest
from builders import a_content, a_receipt, a_version, an_edit
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.client import render
from ninefold.versions import (
    ConditionalEdit,
    UnknownComponent,
    check_delivery,
    content_hash,
    estimate_tokens,
    largest_prompt,
    pointer,
    rendered,
)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
edits = st.builds(
    Edit,
    component=st.sampled_from(["system", "tool.find", "context.facts"]),
    kind=st.sampled_from(["Refine", "InjectContext"]),
    at=st.none() | texts,
    when=st.none() | st.dictionaries(st.sampled_from(["city", "tier"]), texts, max_size=2),
    text=texts,
)
contents = st.builds(
    VersionContent,
    components=st.fixed_dictionaries({"system": texts, "tool.find": texts}),
    edits=st.lists(edits, max_size=5),
)


def test_the_hash_is_ten_digits_and_stays_the_same_in_every_release():
    assert content_hash(a_content(an_edit("Say the price.", when={"city": "rome"}))) == "f0e3bf3a40"


@settings(max_examples=50, deadline=None)
@given(contents)
def test_the_hash_survives_the_wire_and_ignores_receipts_notes_and_empty_conditions(content):
    again = VersionContent.model_validate(content.wire())
    noted = [
        e.model_copy(update={"receipt": a_receipt(), "at": "elsewhere", "when": e.when or None}) for e in content.edits
    ]
    assert content_hash(content) == content_hash(again)
    assert content_hash(content) == content_hash(content.model_copy(update={"edits": noted}))


@pytest.mark.parametrize(
    "other",
    [
        a_content(an_edit("A"), an_edit("C")),
        a_content(an_edit("B"), an_edit("A")),
        a_content(an_edit("A", when={"city": "rome"}), an_edit("B")),
        a_content(an_edit("A", kind="InjectContext"), an_edit("B")),
        a_content(an_edit("A", component="context.x"), an_edit("B")),
        a_content(an_edit("A"), an_edit("B"), system="Other."),
    ],
)
def test_another_text_order_condition_kind_or_component_is_another_version(other):
    assert content_hash(other) != content_hash(a_content(an_edit("A"), an_edit("B")))


@settings(max_examples=50, deadline=None)
@given(contents, st.dictionaries(st.sampled_from(["city", "tier"]), texts))
def test_replay_agent_and_operator_render_the_same(content, metadata):
    wire = content.wire()
    assert rendered(content, metadata) == render(wire["components"], wire["edits"], metadata)


@settings(max_examples=50, deadline=None)
@given(contents)
def test_what_mount_serves_is_the_rendering_without_metadata(content):
    plain = content.model_copy(update={"edits": [e for e in content.edits if not e.when]})
    data = pointer(
        "hotel", "ns", "prompts", a_version(1, *plain.edits, baseline=a_content(**_keywords(plain))), "Mount"
    )["data"]
    keys = {k: v for k, v in data.items() if k not in ("stable.json", "release.json")}
    assert keys == rendered(plain) == rendered(plain, {"city": "rome"})


def _keywords(content):
    return {name.replace(".", "_", 1): text for name, text in content.components.items()}


def test_mount_refuses_a_condition_and_says_what_to_do():
    content = a_content(an_edit(when={"city": "rome"}))
    check_delivery(content, "Client")
    with pytest.raises(ConditionalEdit, match=r"only where city = rome.*set delivery\.mode to Client"):
        check_delivery(content, "Mount")


def test_an_edit_of_a_component_that_git_does_not_have_is_refused():
    with pytest.raises(UnknownComponent, match=r"component tool\.find.*add it to spec\.components"):
        check_delivery(a_content(an_edit(component="tool.find")), "Client")


def test_the_largest_prompt_is_that_of_the_condition_that_adds_most():
    content = a_content(
        an_edit("x" * 40, when={"city": "rome"}), an_edit("x" * 400, when={"city": "oslo"}), system="y" * 40
    )
    assert largest_prompt(content) == estimate_tokens("y" * 40 + "\n\n" + "x" * 400)
