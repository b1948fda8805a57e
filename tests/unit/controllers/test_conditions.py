"""Conditions, and the plan that comes of an outcome: nothing is written that says the same."""

from datetime import UTC, datetime, timedelta

from builders import an_agent_object

from ninefold.api.standing import SuccessRate
from ninefold.controllers.actions import ApplyStatus, Create, Emit
from ninefold.controllers.conditions import (
    READY,
    RECONCILING,
    STALLED,
    false,
    find,
    merged,
    ready,
    reconciling,
    stalled,
    true,
)
from ninefold.controllers.objects import agent_of
from ninefold.controllers.outcome import Outcome, finish, rounded

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def an_agent(status=None, generation=1):
    metadata = {"uid": "uid-1", "creationTimestamp": "2025-03-01T11:00:00Z", "generation": generation}
    manifest = an_agent_object()
    return agent_of({**manifest, "metadata": {**manifest["metadata"], **metadata}, "status": status or {}})


def status_of(plan):
    return next(action.status for action in plan.actions if isinstance(action, ApplyStatus))


def events(plan):
    return [action for action in plan.actions if isinstance(action, Emit)]


def test_ready_is_always_there_and_the_others_only_while_true():
    found = merged([], reconciling("Working", "…"), 1, NOW)
    assert [c.type for c in found] == [READY, RECONCILING] and find(found, READY).status == "False"
    found = merged(found, stalled("Broken", "mend it"), 1, NOW)
    assert [c.type for c in found] == [READY, STALLED]
    found = merged(found, ready("Good", "fine"), 1, NOW)
    assert [c.type for c in found] == [READY]


def test_the_transition_time_moves_only_with_the_status():
    first = merged([], [false("Approved", "Waiting", "a")], 1, NOW)
    second = merged(first, [false("Approved", "WrongHash", "b")], 2, LATER)
    assert second[0].last_transition_time == first[0].last_transition_time
    assert (second[0].reason, second[0].observed_generation) == ("WrongHash", 2)
    third = merged(second, [true("Approved", "Given", "c")], 2, LATER)
    assert third[0].last_transition_time == "2025-03-01T13:00:00Z"


def test_conditions_that_nobody_speaks_of_stay():
    first = merged([], [true("Promoted", "Promoted", "v2")], 1, NOW)
    assert merged(first, ready("Good", "fine"), 1, LATER)[0] == first[0]


def test_a_message_stays_within_the_schemas_bound():
    assert len(merged([], [true("Promoted", "Promoted", "x" * 9999)], 1, NOW)[0].message) == 4096


def test_the_same_finding_twice_writes_nothing():
    outcome = Outcome((*ready("Stable", "v1 is served"), true("Promoted", "Promoted", "v1")), {"stable_version": "v1"})
    written = status_of(finish(an_agent(), outcome, NOW, "m"))
    assert finish(an_agent(written), outcome, LATER, "m").actions == ()


def test_it_does_not_matter_in_which_order_the_server_keeps_conditions():
    outcome = Outcome((*ready("Stable", "v1 is served"), true("Promoted", "Promoted", "v1")))
    written = status_of(finish(an_agent(), outcome, NOW, "m"))
    shuffled = {**written, "conditions": written["conditions"][::-1]}
    assert finish(an_agent(shuffled), outcome, LATER, "m").actions == ()


def test_another_generation_is_observed():
    outcome = Outcome(ready("Stable", "v1 is served"))
    written = status_of(finish(an_agent(), outcome, NOW, "m"))
    again = status_of(finish(an_agent(written, generation=2), outcome, LATER, "m"))
    assert again["observedGeneration"] == 2


def test_what_the_status_names_is_written_first_and_events_before_it():
    outcome = Outcome((true("Promoted", "Promoted", "v2"),), first=(Create({"kind": "ConfigMap"}),))
    plan = finish(an_agent(), outcome, NOW, "m")
    assert [type(action) for action in plan.actions] == [Create, Emit, ApplyStatus]


def test_a_transition_is_told_under_the_same_key_until_it_is_written_down():
    outcome = Outcome((true("Promoted", "Promoted", "v2"), *stalled("Broken", "mend it")))
    keys = [
        [
            (action.key, action.type)
            for action in finish(an_agent(), outcome, now, "m").actions
            if isinstance(action, Emit)
        ]
        for now in (NOW, LATER)
    ]
    assert keys[0] == keys[1]
    assert [kind for _, kind in keys[0]] == ["Normal", "Warning"]


def test_the_same_transition_on_another_day_is_another_event():
    broken, good = Outcome(stalled("Broken", "mend it")), Outcome(ready("Good", "fine"))
    agent, keys = an_agent(), []
    for day in range(3):
        for outcome in (broken, good):
            plan = finish(agent, outcome, NOW + timedelta(days=day), "m")
            keys += [event.key for event in events(plan)]
            agent = an_agent(status_of(plan))
    assert len(keys) == len(set(keys)) == 3


def test_figures_of_a_status_have_four_digits():
    figures = SuccessRate(traces=3, rate=1 / 3, low=0.1, high=0.9, nines=0.04575749)
    assert rounded(figures).model_dump() == {"traces": 3, "rate": 0.3333, "low": 0.1, "high": 0.9, "nines": 0.0458}
