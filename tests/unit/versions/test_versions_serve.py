"""Which version agents read: pin > quarantine > Git's baseline > stable."""

from builders import a_content, a_version, an_edit

from ninefold.versions import Ledger, content_hash, serve, stage_of

BASE = a_content()
V1 = a_version(1)
V2 = a_version(2, an_edit("Two."), parent=V1.name)
V3 = a_version(3, an_edit("Two."), an_edit("Three."), parent=V2.name)
ALL = {v.name: v for v in (V1, V2, V3)}
LEDGER = Ledger().promoted(V1.name).promoted(V2.name).promoted(V3.name)


def test_the_first_decision_is_to_write_the_baseline():
    serving = serve({}, Ledger(), BASE)
    assert serving.reason == "Baseline" and serving.version is None and serving.content == BASE
    assert serve({V1.name: V1}, Ledger(), BASE).version == V1


def test_the_stable_version_is_served():
    serving = serve(ALL, LEDGER, BASE)
    assert (serving.reason, serving.version) == ("Stable", V3)


def test_a_pin_wins_over_everything():
    changed = a_content(system="New text.")
    serving = serve(ALL, LEDGER, changed, pin=V2.name, quarantine=[V2.hash])
    assert (serving.reason, serving.version) == ("Pinned", V2)
    assert "although its hash is quarantined" in serving.message


def test_an_unknown_pin_is_a_problem_and_what_would_be_served_otherwise_is_served():
    serving = serve(ALL, LEDGER, BASE, pin="v9-0123456789")
    assert (serving.reason, serving.version, serving.problem) == ("PinUnknown", V3, True)
    assert f"not known (known: {V1.name}, {V2.name}, {V3.name})" in serving.message


def test_a_quarantined_stable_version_falls_back_to_its_nearest_good_ancestor():
    assert serve(ALL, LEDGER, BASE, quarantine=[V3.hash]).version == V2
    serving = serve(ALL, LEDGER.quarantined(V3.hash), BASE, quarantine=[V2.hash])
    assert (serving.reason, serving.version) == ("RolledBack", V1)
    assert serving.message == f"The stable version {V3.name} is quarantined; {V1.name} is served instead."


def test_without_ancestors_the_newest_good_stable_version_of_the_past_is_served():
    orphan = a_version(4, an_edit("Four."))
    ledger = LEDGER.promoted(orphan.name)
    assert serve({**ALL, orphan.name: orphan}, ledger, BASE, quarantine=[orphan.hash]).version == V3


def test_a_stable_version_that_is_gone_is_replaced_as_well():
    serving = serve({V1.name: V1, V2.name: V2}, LEDGER, BASE)
    assert (serving.reason, serving.version) == ("RolledBack", V2)
    assert "is gone or was tampered with" in serving.message


def test_when_everything_is_quarantined_the_pointer_stays():
    serving = serve(ALL, LEDGER, BASE, quarantine=[v.hash for v in ALL.values()])
    assert (serving.reason, serving.version, serving.content, serving.problem) == ("AllQuarantined", None, None, True)


def test_a_new_baseline_keeps_the_edits_of_untouched_components():
    base = a_content(system="Be brief.", tool_find="Finds rooms.")
    stable = a_version(2, an_edit("A."), an_edit("B.", "tool.find"), an_edit("C.", "context.facts"), baseline=base)
    changed = a_content(system="Be very brief.", tool_find="Finds rooms.")
    serving = serve({stable.name: stable}, Ledger().promoted(stable.name), changed)
    assert serving.reason == "BaselineChanged" and serving.content is not None
    assert [e.text for e in serving.content.edits] == ["B.", "C."]
    assert "of its 3 edits 2 stay, 0 are in Git now, 1 are withdrawn" in serving.message


def test_reset_serves_the_new_baseline_alone_and_hold_changes_nothing():
    changed = a_content(tool_find="New.", system=BASE.components["system"])
    assert serve(ALL, LEDGER, changed, on_baseline_change="Reset").content == changed
    held = serve(ALL, LEDGER, changed, on_baseline_change="Hold")
    assert (held.reason, held.version) == ("BaselineHeld", V3)


def test_edits_that_git_takes_in_are_the_same_version_and_nothing_changes():
    taken = a_content(an_edit("Two."), an_edit("Three."))
    serving = serve(ALL, LEDGER, taken)
    assert (serving.reason, serving.version) == ("Stable", V3)


def test_words_that_git_copies_into_the_component_are_not_said_twice():
    copied = a_content(system=BASE.components["system"] + "\n\nTwo.")
    serving = serve(ALL, LEDGER, copied)
    assert serving.content is not None and serving.content.edits == []
    assert "1 are in Git now, 1 are withdrawn" in serving.message


def test_a_baseline_that_comes_back_gets_its_old_version_and_no_new_number():
    other = a_version(4, baseline=a_content(system="Other."))
    serving = serve({**ALL, other.name: other}, LEDGER.promoted(other.name), BASE)
    assert serving.version == V1


def test_a_quarantined_rebase_leaves_the_baseline_alone():
    base = a_content(system="Be brief.", tool_find="Finds rooms.")
    stable = a_version(2, an_edit("B.", "tool.find"), baseline=base)
    changed = a_content(system="New.", tool_find="Finds rooms.")
    moved = a_content(an_edit("B.", "tool.find"), system="New.", tool_find="Finds rooms.")
    serving = serve({stable.name: stable}, Ledger().promoted(stable.name), changed, quarantine=[content_hash(moved)])
    assert serving.content == changed and "quarantined, so the baseline alone is served" in serving.message


def test_stages_follow_what_is_served():
    candidate = a_version(4, an_edit("Four."))
    ledger = LEDGER.quarantined(V2.hash)
    stages = [stage_of(v, V3.name, ledger) for v in (V1, V2, V3, candidate)]
    assert stages == ["retired", "quarantined", "stable", "candidate"]
    assert stage_of(a_version(5), None, Ledger()) == "baseline"
