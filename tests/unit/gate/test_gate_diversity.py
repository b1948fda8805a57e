"""docs/gate.md, "Collapse"."""

from builders import a_replay, replay_rows

from ninefold.api.policy import Gate
from ninefold.gate import GateInput, Verdict, evaluate
from ninefold.replay.sketch import sketch


def verdict(before: list[str], after: list[str]) -> tuple[Verdict, bool | None]:
    """`DiversityKept` of a clear gain in which, where both succeed, these are the outputs."""
    rows = replay_rows(wins=60, both=len(before))
    said = dict(zip((row.case_id for row in rows[60:]), zip(before, after, strict=True), strict=True))
    shown = []
    for row in rows:
        outcomes = dict(row.outcomes)
        for arm, place in (("baseline", 0), ("c1", 1)):
            if row.case_id in said:
                outcomes[arm] = outcomes[arm].model_copy(update={"sketch": sketch(said[row.case_id][place])})
        shown.append(row.model_copy(update={"outcomes": outcomes}))
    result = evaluate(GateInput(a_replay(shown), "c1", Gate(), 1))
    return next(v for v in result.verdicts if v.type == "DiversityKept"), result.passed


DIFFERENT = [f"Parcel {n} left depot {n * 7} and is due in {n % 9} days at gate {n * 3}." for n in range(40)]


def test_a_candidate_that_says_one_of_three_things_is_refused_whatever_it_scores():
    found, passed = verdict(DIFFERENT, ["All is well.", "Please wait.", "It is done."] * 13 + ["All is well."])
    assert (found.status, found.reason, passed) == ("False", "Collapsed", False)
    assert "entropy 5.32 → 1.58 bits" in found.message


def test_other_words_that_are_as_different_are_kept():
    found, passed = verdict(DIFFERENT, [f"{n * 7}: parcel {n}, gate {n * 3}, day {n % 9}" for n in range(40)])
    assert (found.status, passed) == ("True", True)


def test_one_sentence_with_another_number_each_is_a_near_duplicate():
    words = "we are very happy to tell you that all that you have asked for is on its way to you today"
    found, _ = verdict(DIFFERENT, [f"{words} {n}" for n in range(40)])
    assert (found.status, found.reason) == ("False", "Collapsed")


def test_a_baseline_that_says_nearly_the_same_has_nothing_to_lose():
    assert verdict(["Done."] * 40, ["OK."] * 40)[0].reason == "NotCompared"


def test_a_few_outputs_are_not_compared():
    assert verdict(DIFFERENT[:20], ["x"] * 20)[0].reason == "NotCompared"
