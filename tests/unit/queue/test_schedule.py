"""The queue's promises: a key waits once, runs once, and comes back after a failure."""

import random

from ninefold.controllers.ports import Key
from ninefold.process.queue import BACKOFF_FIRST, BACKOFF_LAST, Schedule

A = Key("Agent", "ns", "a")
B = Key("OptimizationRun", "ns", "b")


def drain(schedule: Schedule, now: float = 0.0) -> list[Key]:
    taken = []
    while (key := schedule.take(now)) is not None:
        taken.append(key)
    return taken


def test_a_key_that_is_added_many_times_waits_once_and_in_order() -> None:
    schedule = Schedule()
    for key in (A, B, A, B, A):
        schedule.add(key)
    assert schedule.depth() == {"Agent": 1, "OptimizationRun": 1}
    assert drain(schedule) == [A, B]


def test_a_running_key_is_not_given_to_a_second_worker_but_runs_once_more_afterwards() -> None:
    schedule = Schedule()
    schedule.add(A)
    assert schedule.take(0) == A
    schedule.add(A)
    schedule.add(A)
    assert schedule.take(0) is None
    schedule.succeeded(A, None)
    assert drain(schedule) == [A]


def test_a_time_that_is_due_makes_a_running_key_run_again_and_never_twice_at_once() -> None:
    schedule = Schedule()
    schedule.add(A)
    assert schedule.take(0) == A
    schedule.add_at(A, 5)
    assert schedule.take(6) is None
    schedule.succeeded(A, None)
    assert drain(schedule, 6) == [A]


def test_a_key_is_looked_at_again_when_its_plan_said_so() -> None:
    schedule = Schedule()
    schedule.add(A)
    schedule.take(0)
    schedule.succeeded(A, 60)
    assert schedule.next_due() == 60
    assert schedule.take(59.9) is None
    assert schedule.take(60) == A


def test_a_newer_plan_replaces_the_time_of_the_older_one() -> None:
    schedule = Schedule()
    schedule.add_at(A, 10)
    schedule.add(A)
    schedule.take(0)
    schedule.succeeded(A, 100)
    assert schedule.next_due() == 100
    schedule.add(A)
    schedule.take(1)
    schedule.succeeded(A, None)
    assert schedule.next_due() is None
    assert schedule.take(1000) is None


def test_a_resync_moves_a_time_nearer_but_never_further_away() -> None:
    schedule = Schedule()
    schedule.add_at(A, 10)
    schedule.add_at(A, 20)
    assert schedule.next_due() == 10
    schedule.add_at(A, 5)
    assert drain(schedule, 5) == [A]
    schedule.succeeded(A, None)
    assert drain(schedule, 50) == []


def test_failures_double_the_wait_up_to_a_bound_and_success_forgets_them() -> None:
    schedule = Schedule(random.Random(1))
    waits = []
    for _ in range(15):
        schedule.add(A)
        schedule.take(0)
        waits.append(schedule.failed(A, 0))
        assert schedule.take(waits[-1]) == A
        schedule.failed(A, 0)
    assert all(wait <= BACKOFF_LAST for wait in waits)
    assert waits[-1] >= BACKOFF_LAST / 2
    assert waits[0] <= BACKOFF_FIRST < waits[2]
    schedule.add(A)
    schedule.take(0)
    schedule.succeeded(A, None)
    schedule.add(A)
    schedule.take(0)
    assert schedule.failed(A, 0) <= BACKOFF_FIRST


def test_what_failed_together_does_not_return_together() -> None:
    schedule = Schedule(random.Random(1))
    for key in (A, B):
        schedule.add(key)
        schedule.take(0)
    assert schedule.failed(A, 0) != schedule.failed(B, 0)


def test_an_event_does_not_wait_for_the_backoff() -> None:
    schedule = Schedule()
    schedule.add(A)
    schedule.take(0)
    schedule.failed(A, 0)
    assert schedule.take(0) is None
    schedule.add(A)
    assert schedule.take(0) == A


def test_forgotten_times_leave_no_memory_behind() -> None:
    schedule = Schedule()
    for n in range(1000):
        schedule.add(A)
        schedule.take(n)
        schedule.succeeded(A, n + 10_000)
    schedule.next_due()
    assert len(schedule._heap) <= 1000
    assert schedule.next_due() == 10_999
