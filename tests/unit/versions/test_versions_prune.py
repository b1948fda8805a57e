"""Which old versions are deleted, and which never are."""

from builders import a_content, a_version, an_edit

from ninefold.versions import Ledger, surplus

BASE = a_content()
V1 = a_version(1)
LINE = [a_version(number, an_edit(f"Text {number}."), parent=V1.name) for number in range(2, 8)]
V2, V3, V4, V5, V6, V7 = LINE
ALL = {version.name: version for version in (V1, *LINE)}
LEDGER = Ledger().promoted(V1.name).promoted(V5.name).promoted(V6.name)


def test_the_newest_stay_beside_what_is_needed_and_the_others_go_the_oldest_first():
    assert surplus(ALL, LEDGER, BASE, limit=1) == (V2.name, V3.name, V4.name, V5.name)
    assert surplus(ALL, LEDGER, BASE, limit=3) == (V2.name, V3.name)
    assert surplus(ALL, LEDGER, BASE, limit=5) == ()


def test_what_a_rollback_would_serve_stays():
    orphan = a_version(6, an_edit("Text 6."))
    without_parent = {**ALL, orphan.name: orphan}
    assert V5.name not in surplus(without_parent, LEDGER, BASE, limit=1)
    # With V5 quarantined as well, the one before it would be served.
    older = Ledger().promoted(V1.name).promoted(V4.name).promoted(V5.name).promoted(V6.name)
    kept = without_parent.keys() - set(surplus(without_parent, older, BASE, limit=1, quarantine=[V5.hash]))
    assert kept == {V1.name, V4.name, V5.name, V6.name, V7.name}


def test_what_is_named_or_quarantined_stays():
    gone = surplus(ALL, LEDGER.quarantined(V3.hash), BASE, limit=1, named=[V2.name], quarantine=[V4.hash])
    assert gone == (V5.name,)


def test_the_version_of_gits_baseline_stays_while_it_is_the_baseline():
    versions = {v.name: v for v in (V1, *(a_version(number, an_edit(f"Text {number}.")) for number in (2, 3)))}
    newest = Ledger().promoted(list(versions)[-1])
    assert surplus(versions, newest, BASE, limit=1) == ()
    assert V1.name in surplus(versions, newest, a_content(system="Others."), limit=1, on_baseline_change="Hold")


def test_at_least_one_stays_so_that_no_number_comes_back():
    assert V7.name not in surplus(ALL, Ledger(), BASE, limit=0)
