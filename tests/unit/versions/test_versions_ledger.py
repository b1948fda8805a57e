"""The ledger books everything once, however often the operator dies between a write and the next plan."""

import pytest

from ninefold.api.spending import Spending, Spent
from ninefold.versions import Ledger, SealedAlreadyOpened, TamperedVersion, ledger_configmap, next_number, read_ledger

HASH = "0123456789"


def test_numbers_never_come_back():
    assert next_number([], Ledger()) == 1
    assert next_number([2, 5], Ledger(last_number=3)) == 6
    assert next_number([2], Ledger(last_number=7)) == 8


def test_a_promotion_puts_the_version_before_into_the_history():
    ledger = Ledger().promoted("v1-aaaaaaaaaa").promoted("v2-bbbbbbbbbb").promoted("v2-bbbbbbbbbb")
    assert (ledger.stable, ledger.history, ledger.last_number) == ("v2-bbbbbbbbbb", ["v1-aaaaaaaaaa"], 2)
    back = ledger.promoted("v1-aaaaaaaaaa")
    assert (back.stable, back.history, back.last_number) == ("v1-aaaaaaaaaa", ["v2-bbbbbbbbbb"], 2)


def test_the_history_is_bounded():
    ledger = Ledger()
    for n in range(1, 40):
        ledger = ledger.promoted(f"v{n}-aaaaaaaaaa")
    assert len(ledger.history) == 20 and ledger.history[0] == "v38-aaaaaaaaaa"


def test_opening_the_sealed_cases_is_booked_once_a_run():
    ledger, first = Ledger().open_sealed("run-1", HASH, 0.03)
    again, same = ledger.open_sealed("run-1", HASH, 0.03)
    later, second = ledger.open_sealed("run-2", HASH)
    assert (first, same, second) == (1, 1, 2) and again == ledger
    assert later.cycles == 2 and later.sealed[0].alpha == 0.03


def test_a_run_cannot_open_the_sealed_cases_for_a_second_candidate():
    ledger, _ = Ledger().open_sealed("run-1", HASH)
    with pytest.raises(SealedAlreadyOpened, match=r"candidate 0123456789 and cannot open them for 9876543210: start"):
        ledger.open_sealed("run-1", "9876543210")


def test_cycles_count_on_when_old_openings_are_forgotten():
    ledger, cycle = Ledger(), 0
    for n in range(80):
        ledger, cycle = ledger.open_sealed(f"run-{n}", HASH)
    assert cycle == 80 and len(ledger.sealed) == 50


def test_replay_calls_are_booked_once_a_stage_and_what_was_paid_stays_paid():
    ledger = Ledger().paid("run-1", "replay-selection", 100).paid("run-1", "replay-selection", 100)
    ledger = (
        ledger.paid("run-1", "replay-selection", 40)
        .paid("run-1", "replay-sealed", 60)
        .paid("run-2", "replay-sealed", 1)
    )
    assert ledger.replay_calls == 161
    assert ledger.paid_by("run-1") == 160 and ledger.paid_by("run-9") == 0


def test_quarantine_is_kept_once():
    assert Ledger().quarantined(HASH).quarantined(HASH).quarantine == [HASH]


def test_the_ledger_survives_its_configmap():
    ledger, _ = (
        Ledger().promoted("v1-aaaaaaaaaa").quarantined(HASH).paid("r", "replay-sealed", 3).open_sealed("r", HASH)
    )
    configmap = ledger_configmap("hotel", "ns", ledger, resource_version="7")
    assert configmap["metadata"]["name"] == "hotel-ledger" and configmap["metadata"]["resourceVersion"] == "7"
    assert configmap["metadata"]["labels"]["ninefold.dev/role"] == "ledger"
    assert read_ledger(configmap) == ledger and read_ledger(None) == Ledger()


@pytest.mark.parametrize("data", [None, {}, {"ledger.json": "{"}, {"ledger.json": '{"cycles": -1}'}])
def test_a_broken_ledger_is_never_taken_for_an_empty_one(data):
    with pytest.raises(TamperedVersion, match="ConfigMap hotel-ledger does not hold a ledger"):
        read_ledger({"metadata": {"name": "hotel-ledger"}, "data": data})


def test_spending_is_booked_once_a_stage_by_purpose_and_day_and_what_was_spent_stays_spent():
    first = Spending(
        lines={"replay/baseline": Spent(calls=40, tokens=900), "replay/c1": Spent(calls=20, micro_usd=70)},
        days={"2026-01-01": Spent(calls=50, tokens=900), "2026-01-02": Spent(calls=10, micro_usd=70)},
    )
    ledger = Ledger().spent("run-1", "replay-selection", first)
    assert ledger.spent("run-1", "replay-selection", first) == ledger
    smaller = Spending(lines={"replay/baseline": Spent(calls=3)}, days={"2026-01-02": Spent(calls=3)})
    assert ledger.spent("run-1", "replay-selection", smaller) == ledger
    ledger = ledger.spent("run-1", "propose", Spending(lines={"reflection": Spent(calls=2, micro_usd=9)}))
    ledger = ledger.spent("run-2", "replay-sealed", Spending(days={"2026-01-02": Spent(calls=5)}))
    assert ledger.booked("run-1", ["2026-01-02", "2026-01-03"]).wire() == {
        "stages": {
            "replay-selection": {"replay": {"calls": 60, "tokens": 900, "microUsd": 70}},
            "propose": {"reflection": {"calls": 2, "tokens": 0, "microUsd": 9}},
        },
        "days": {"2026-01-02": {"calls": 15, "tokens": 0, "microUsd": 70}},
    }
    assert ledger.spent_by("run-1").lines["replay"].calls == 60
    assert ledger.paid("run-1", "replay-selection", 60).spent_by("run-1") == ledger.spent_by("run-1")


def test_the_ledger_knows_until_when_traces_were_among_opened_cases():
    ledger, _ = Ledger().open_sealed("run-1", HASH, 0.03, "2026-01-10T00:00:00Z")
    ledger, _ = ledger.open_sealed("run-2", "9876543210", 0.01, "2026-02-10T00:00:00Z")
    assert ledger.last_opened() == "2026-02-10T00:00:00Z"
    assert ledger.last_opened(HASH) == "2026-01-10T00:00:00Z"
    # A run that is planned again after a crash does not bar itself.
    assert ledger.last_opened(HASH, but="run-1") is None and Ledger().last_opened() is None
