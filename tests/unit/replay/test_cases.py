"""docs/replay.md, "Cases": which are replayed, and in which order."""

import random

from ninefold.api.cases import Case
from ninefold.replay import fresh, in_order


def case(n: int, intent: str, succeeded: bool) -> Case:
    return Case(case_id=f"case-{n}", cluster=str(n), intent=intent, input="", succeeded=succeeded)


CASES = [case(n, "rare" if n % 10 == 0 else "common", n % 3 == 0) for n in range(300)]


def test_the_order_depends_on_the_cases_alone() -> None:
    shuffled = CASES.copy()
    random.Random(5).shuffle(shuffled)
    assert in_order(shuffled) == in_order(CASES) != CASES
    assert sorted(c.case_id for c in in_order(CASES)) == sorted(c.case_id for c in CASES)


def test_every_beginning_of_the_order_is_a_small_picture_of_the_whole() -> None:
    for part in (30, 75, 150):
        begun = in_order(CASES)[:part]
        assert abs(sum(c.intent == "rare" for c in begun) - part / 10) <= 2
        assert abs(sum(c.succeeded for c in begun) - part / 3) <= 3


def test_no_cases_have_no_order() -> None:
    assert in_order([]) == []


def test_only_traces_that_started_later_are_fresh() -> None:
    cases = [
        Case(case_id=str(n), cluster=str(n), input="x", succeeded=True, started=started)
        for n, started in enumerate([1_767_225_599, 1_767_225_601, None])
    ]
    assert [case.case_id for case in fresh(cases, "2026-01-01T00:00:00Z")] == ["1"]
