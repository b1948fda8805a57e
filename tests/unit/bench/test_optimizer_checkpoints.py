"""Our race is asked for its best so far, as the others are."""

import asyncio
from typing import Any, cast

from bench.optimizers.checkpoints import Watched, leader
from ninefold.api.cases import Case
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, Outcome, ReplayRow
from ninefold.replay import Arm

CONTENTS = {name: VersionContent(components={"system": name}) for name in (BASELINE, NULL_CONTROL, "a", "b")}


def row(case: str, **solved: bool) -> ReplayRow:
    return ReplayRow(
        case_id=case, cluster=case, intent=None, outcomes={arm: Outcome(success=won) for arm, won in solved.items()}
    )


def test_who_solved_most_of_the_common_cases_leads() -> None:
    rows = [row("1", baseline=False, a=True, b=False), row("2", baseline=False, a=False, b=True)]
    rows.append(row("3", baseline=False, a=False, b=True))
    assert leader(rows, [BASELINE, "a", "b"]) == "b"
    dropped = [*rows, row("4", baseline=True, a=True), row("5", baseline=True, a=True)]
    assert leader(dropped, [BASELINE, "a"]) == "a"


def test_the_baseline_leads_until_a_candidate_has_solved_more() -> None:
    assert leader([], [BASELINE, "a"]) == BASELINE
    assert leader([row("1", baseline=True, a=True)], ["a", BASELINE]) == BASELINE


class Bought:
    """A buyer whose answers say which prompt solves which case."""

    async def outcome(self, request: Any, grade: Any, *, arm: str) -> Outcome:
        return Outcome(success=request.components["system"] == ("a" if request.case_id in ("1", "2") else "b"))


def cases(*names: str) -> list[Case]:
    return [Case(case_id=name, cluster=name, input=name, metadata={}, succeeded=False) for name in names]


def test_the_leader_is_told_after_each_round_and_the_winner_before_its_lines_are_left_out() -> None:
    told: list[VersionContent] = []
    watched = Watched(
        cast(Any, Bought()),
        by_metadata=False,
        seed=0,
        concurrency=1,
        progress=lambda _: None,
        mark=told.append,
    )

    def arms(*names: str) -> list[Arm]:
        return [Arm(name, CONTENTS[name]) for name in names]

    async def race() -> None:
        await watched.run(cases("1", "2"), arms(BASELINE, NULL_CONTROL, "a", "b"))
        await watched.run(cases("3", "4", "5"), arms(BASELINE, NULL_CONTROL, "a", "b"))
        await watched.run(cases("1"), [Arm(BASELINE, CONTENTS[BASELINE]), Arm("a", CONTENTS["a"])])

    asyncio.run(race())
    assert told == [CONTENTS["a"], CONTENTS["b"], CONTENTS["a"]]
