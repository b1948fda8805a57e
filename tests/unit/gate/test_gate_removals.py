"""A candidate that only takes edits away need not gain; it must be shown to lose no more than the margin."""

from builders import a_replay, an_edit, replay_rows

from ninefold.api.candidates import Candidate
from ninefold.api.outcomes import ReplayRow
from ninefold.api.policy import Gate
from ninefold.gate import GateInput, Verdict, evaluate

LESS = Candidate(id="c1", removes=["0123456789"], summary="", predicted_gain=0.0, proposer="prune")
MORE = LESS.model_copy(update={"edits": [an_edit()]})


def improved(rows: list[ReplayRow], candidate: Candidate) -> Verdict:
    result = evaluate(GateInput(a_replay(rows, candidate=candidate), "c1", Gate(), 1))
    return next(v for v in result.verdicts if v.type == "Improved")


def test_as_good_with_less_text_is_an_improvement() -> None:
    verdict = improved(replay_rows(wins=0, losses=0, both=150, neither=50), LESS)
    assert (verdict.status, verdict.reason) == ("True", "AsGoodWithLess")
    assert verdict.message.startswith("edits are only left out: success 0.750 → 0.750, +0.0 pp, bound -")


def test_a_loss_that_is_not_excluded_is_none() -> None:
    verdict = improved(replay_rows(wins=2, losses=20, both=100, neither=50), LESS)
    assert (verdict.status, verdict.reason) == ("False", "LossNotExcluded")


def test_what_also_adds_must_gain() -> None:
    verdict = improved(replay_rows(wins=0, losses=0, both=150, neither=50), MORE)
    assert (verdict.status, verdict.reason) == ("False", "NotImproved")
