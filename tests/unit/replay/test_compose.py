"""docs/replay.md, "What the race teaches beyond its winner"."""

import random

from builders import a_receipt, an_edit, an_outcome

from ninefold.api.candidates import Candidate
from ninefold.api.outcomes import BASELINE, ReplayRow
from ninefold.replay.compose import choices, merged, shrink, split

CITIES = ("bonn", "oslo", "rome")


def candidate(name: str, *edits) -> Candidate:
    return Candidate(id=name, edits=list(edits), summary=name, predicted_gain=0.1, proposer=name)


def city_rows(rates: dict[str, dict[str, float]], each: int = 60, seed: int = 0) -> list[ReplayRow]:
    """Rows of every city under every arm, solved with that arm's rate there, each case for itself."""
    draw = random.Random(seed)
    return [
        ReplayRow(
            case_id=f"{city}-{n}",
            cluster=f"{city}-{n}",
            intent=city,
            outcomes={arm: an_outcome(draw.random() < rate[city]) for arm, rate in rates.items()},
        )
        for city in CITIES
        for n in range(each)
    ]


HELPS_BUT_IN_ROME = {
    BASELINE: dict.fromkeys(CITIES, 0.4),
    "rule": {"bonn": 0.8, "oslo": 0.8, "rome": 0.1},
    "facts": {"bonn": 0.5, "oslo": 0.5, "rome": 0.45},
}
ALIKE = {BASELINE: dict.fromkeys(CITIES, 0.5), "rule": dict.fromkeys(CITIES, 0.6), "facts": dict.fromkeys(CITIES, 0.55)}


def test_where_the_winner_does_harm_another_choice_is_taken_and_elsewhere_none():
    chosen = choices(city_rows(HELPS_BUT_IN_ROME), "rule", ["facts"])
    assert set(chosen) == {"rome"}


def test_noise_alone_seldom_splits():
    split_up = sum(bool(choices(city_rows(ALIKE, seed=seed), "rule", ["facts"])) for seed in range(50))
    assert split_up <= 15


def test_strata_that_agree_are_shrunk_to_one_value_and_those_that_differ_keep_theirs():
    agreeing = shrink({city: [0.0, 1.0, 0.0, 1.0] for city in CITIES})
    assert {round(s.mean, 6) for s in agreeing.values()} == {0.5}
    apart = shrink({"bonn": [1.0, 0.9] * 20, "oslo": [0.0, 0.1] * 20})
    assert apart["bonn"].mean > 0.9
    assert apart["oslo"].mean < 0.1


def test_after_a_split_the_winner_stands_under_the_conditions_that_keep_it():
    rule, facts = an_edit("Look first."), an_edit("Rome has rooms 1 to 9.", when={"city": "rome"})
    arms = {"rule": candidate("rule", rule), "facts": candidate("facts", facts)}
    found = split(arms["rule"], arms, {"rome": "facts"}, "city", {city: city for city in CITIES})
    assert found is not None
    assert [(e.text, e.when) for e in found.edits] == [
        ("Look first.", {"city": "bonn"}),
        ("Look first.", {"city": "oslo"}),
        ("Rome has rooms 1 to 9.", {"city": "rome"}),
    ]
    assert found.id == "rule:split"


def test_a_stratum_may_go_without_any_edit():
    arms = {"rule": candidate("rule", an_edit("Look first."))}
    found = split(arms["rule"], arms, {"rome": BASELINE}, "city", {city: city for city in CITIES})
    assert found is not None
    assert {e.when["city"] for e in found.edits if e.when} == {"bonn", "oslo"}


def test_a_split_into_more_edits_than_a_version_carries_is_none():
    arms = {"rule": candidate("rule", an_edit("Look first."))}
    strata = {f"city-{n}": f"city-{n}" for n in range(70)}
    assert split(arms["rule"], arms, {"city-0": BASELINE}, "city", strata) is None


def test_candidates_that_answer_different_patterns_are_merged_and_those_that_answer_the_same_are_not():
    one = candidate("one", an_edit("Look first.", receipt=a_receipt(pattern="p-1")))
    other = candidate("other", an_edit("Stop.", receipt=a_receipt(pattern="p-2")))
    same = candidate("same", an_edit("See first.", receipt=a_receipt(pattern="p-1")))
    both = merged([one, same, other], [one, same, other])
    assert both is not None
    assert (both.id, [e.text for e in both.edits]) == ("one+other", ["Look first.", "Stop."])
    assert merged([one, same], [one, same]) is None
    assert merged([one, other], [one, other, both]) is None


def test_what_a_winner_takes_away_cannot_be_kept_in_one_stratum() -> None:
    winner = Candidate(id="w", edits=[an_edit("A")], removes=["0" * 10], summary="", predicted_gain=0.1, proposer="w")
    other = winner.model_copy(update={"id": "o", "edits": [an_edit("B")]})
    strata = {"rome": "rome", "oslo": "oslo"}
    assert split(winner, {"w": winner}, {"oslo": "baseline"}, "city", strata) is None
    found = split(winner, {"w": winner, "o": other}, {"oslo": "o"}, "city", strata)
    assert found is not None and found.removes == winner.removes
