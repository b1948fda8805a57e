"""The pointer is all that agents read; the diff is all that a reviewer has to."""

import json

import pytest
from builders import SYSTEM, a_content, a_receipt, a_version, an_edit

from ninefold.versions import ConditionalEdit, diff, pointer, pointer_drifted, pointer_problem, served_version

CONDITIONAL = a_version(2, an_edit("Rome only.", when={"city": "rome"}, receipt=a_receipt()))


def test_the_pointer_serves_plain_keys_the_edits_and_the_name():
    made = pointer("hotel", "ns", "prompts", CONDITIONAL, "Client")
    assert made["data"]["system"] == SYSTEM
    stable, release = json.loads(made["data"]["stable.json"]), json.loads(made["data"]["release.json"])
    assert stable["edits"] == [
        {"component": "system", "kind": "Refine", "text": "Rome only.", "when": {"city": "rome"}}
    ]
    assert release == {"schemaVersion": 1, "mode": "Client", "stable": CONDITIONAL.name, "canary": None, "weight": 0}
    assert served_version(made) == CONDITIONAL.name
    assert "ownerReferences" not in made["metadata"] and "immutable" not in made


def test_mount_cannot_carry_a_condition():
    with pytest.raises(ConditionalEdit):
        pointer("hotel", "ns", "prompts", CONDITIONAL, "Mount")


def test_a_configmap_that_is_not_ours_is_left_untouched():
    ours = pointer("hotel", "ns", "prompts", a_version(), "Mount")
    foreign = {"metadata": {"name": "prompts"}, "data": {"system": "mine"}}
    assert pointer_problem(None, "hotel") is None and pointer_problem(ours, "hotel") is None
    assert "was not made by Ninefold" in (pointer_problem(foreign, "hotel") or "")
    assert "serves the Agent hotel" in (pointer_problem(ours, "motel") or "")
    assert served_version(foreign) is None and served_version(None) is None


def test_every_drift_counts():
    wanted = pointer("hotel", "ns", "prompts", a_version(), "Mount", owner={"uid": "u-1"})
    assert not pointer_drifted(json.loads(json.dumps(wanted)), wanted)
    for change in (
        {"data": {**wanted["data"], "system": "x"}},
        {"data": {**wanted["data"], "more": "x"}},
        {"binaryData": {"x": "eA=="}},
        {"metadata": {**wanted["metadata"], "labels": {}}},
        {"metadata": {**wanted["metadata"], "ownerReferences": []}},
    ):
        assert pointer_drifted({**wanted, **change}, wanted)


def test_the_diff_shows_component_condition_and_evidence():
    receipt = a_receipt(evidence=["t-1", "t-2"], predicted_gain=0.042, tokens=11, proposer="deterministic")
    new = a_content(
        an_edit("Say the price.", receipt=receipt, at="first call"), an_edit("Rome only.", when={"city": "rome"})
    )
    assert diff(a_content(), new) == (
        "=== system\n--- old\n+++ new\n@@ -1 +1,3 @@\n"
        f" {SYSTEM}\n+\n+Say the price.\n"
        "# Refine at first call\n"
        "#   why: Rooms are named that no result has shown. (pattern p-1)\n"
        "#   predicted gain +4.2 pp, 11 tokens, written by deterministic\n"
        "#   traces: t-1, t-2\n"
        "\n"
        "=== system where city = rome\n--- old\n+++ new\n@@ -0,0 +1 @@\n"
        "+Rome only.\n"
        "# Refine\n"
    )


def test_equal_contents_differ_in_nothing():
    assert diff(a_content(an_edit(receipt=a_receipt())), a_content(an_edit())) == ""
