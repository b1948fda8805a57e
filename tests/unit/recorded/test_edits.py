"""What a promoted line is worth on unseen questions, beside what was promised of it."""

from builders import an_edit

from ninefold.api.edits import Effect, Receipt
from recorded.edits import worth
from recorded.score import play_all

CASES = [{"case_id": str(n), "input": "?", "metadata": {"city": "rome" if n < 4 else "oslo"}} for n in range(10)]
LOOK, ROME = "Look first.", "Rooms: suite_7."


def play(case, components):
    """Rome needs its facts; the rule helps every second case."""
    text = components["system"]
    solved = ROME in text if case["metadata"]["city"] == "rome" else LOOK in text and int(case["case_id"]) % 2 == 0
    return {"scores": {"solved": float(solved)}, "steps": []}


def test_gains_are_shares_of_all_questions_whatever_a_line_applies_to():
    effect = Effect(estimate=0.9, low=0.5, high=1.0, cases=20)
    edits = [
        an_edit(LOOK, receipt=Receipt(predicted_gain=0.3)),
        an_edit(ROME, kind="InjectContext", when={"city": "rome"}, receipt=Receipt(predicted_gain=0.1, effect=effect)),
    ]
    full = {"rome": {"system": f"{LOOK}\n{ROME}"}, "oslo": {"system": LOOK}}
    promoted = play_all(CASES, play, lambda metadata: full[str(metadata["city"])])
    rule, facts = worth({"system": "S"}, edits, CASES, play, promoted)
    assert (rule.applies, rule.predicted, rule.raced, rule.unseen) == (10, 0.3, None, 0.3)
    assert (facts.kind, facts.applies, facts.raced, facts.unseen) == ("InjectContext", 4, 0.36, 0.4)
    assert rule.kept_its_word and facts.kept_its_word
    assert not worth({"system": "S"}, edits[:1], CASES, play, play_all(CASES, play, lambda m: {"system": ""}))[
        0
    ].kept_its_word
