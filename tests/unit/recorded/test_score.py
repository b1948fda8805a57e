"""How the recorded harness counts."""

from recorded.score import Played, figures, play_all, pooled


def played(*solved: bool, invented: int = 0, steps: int = 2) -> list[Played]:
    return [Played(one, invented, steps) for one in solved]


def test_wins_and_losses_are_paired() -> None:
    row = figures(3, played(True, False, False, True), played(False, True, True, True), calls=7)
    assert (row.cases, row.blind, row.promoted, row.wins, row.losses, row.calls) == (4, 2, 3, 2, 1, 7)


def test_an_observation_that_denies_an_identifier_counts_as_invented() -> None:
    case = {"case_id": "1", "input": "?", "metadata": {"k": "v"}}
    steps = [{"output": "Table 'a.b' doesn't exist"}, {"output": "Unknown column 'c'"}, {"output": "3 rows"}]
    answer = {"scores": {"solved": 1.0}, "steps": steps}
    assert play_all([case], lambda case, components: answer, lambda metadata: {}) == [Played(True, 2, 3)]


def test_each_case_is_rendered_with_its_own_metadata() -> None:
    cases = [{"case_id": str(n), "input": "?", "metadata": {"n": n}} for n in range(3)]
    seen = {}

    def play(case: dict[str, object], components: object) -> dict[str, object]:
        seen[case["case_id"]] = components
        return {"scores": {"solved": 0.0}, "steps": []}

    play_all(cases, play, lambda metadata: {"system": f"for {metadata['n']}"})
    assert seen == {str(n): {"system": f"for {n}"} for n in range(3)}


def test_several_seeds_are_pooled_by_cases() -> None:
    small = figures(0, played(False), played(True, invented=2), calls=1)
    large = figures(1, played(False, False, False), played(True, False, False), calls=2)
    both = pooled([small, large])
    assert (both.seed, both.cases, both.promoted, both.calls) == ([0, 1], 4, 2, 3)
    assert both.invented_per_case == 0.5
