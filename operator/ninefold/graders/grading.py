"""One grade from all that is known of a run: the recorded score first, then the rules.

The score decides where there is one: somebody has looked. Else all rules must hold; one that fails is enough to fail,
and one that has nothing to say about this case leaves it open, unless another fails. What stays open may be put to a
judge (`ninefold.judges`), whose word is taken last.
"""

from ninefold.api.agent import Success
from ninefold.api.outcomes import JudgeSaid
from ninefold.graders.given import Given, Grade
from ninefold.graders.rules import BadRuleError, check_of

__all__ = ["BadRuleError", "Graders", "better_known"]

NO_SCORE = "the answer lacks the score that decides"
NO_OUTPUT = "there is neither the score that decides nor an output to grade"
NO_RULE = "no rule has anything to say about this case"
NO_VERDICT = "the judge gave no verdict"


class Graders:
    """What `spec.success` of an Agent says, ready to be asked. Raises BadRuleError for what cannot be checked."""

    def __init__(self, success: Success) -> None:
        self._success = success
        self._checks = tuple(check_of(rule) for rule in success.rules)

    def grade(self, given: Given) -> Grade:
        """By score or rules; `success` None when neither decides."""
        score = given.scores.get(self._success.score) if self._success.score is not None else None
        if score is not None:
            return Grade(success=score >= self._success.at_least, score=score, by="score")
        if not self._checks and self._success.judges is None:
            return Grade(missing=NO_SCORE)
        if given.output is None:
            return Grade(missing=NO_OUTPUT)
        said = [check(given) for check in self._checks]
        if False in said:
            return Grade(success=False, score=0.0, by="rules")
        if said and None not in said:
            return Grade(success=True, score=1.0, by="rules")
        return Grade(missing=NO_RULE if said else NO_SCORE)


def better_known(grade: Grade, verdict: bool | None) -> Grade:
    """The grade with a judge's verdict: it decides where nothing else did, and stands beside where something did."""
    said: JudgeSaid = "Nothing" if verdict is None else "Pass" if verdict else "Fail"
    if grade.success is not None:
        return grade.model_copy(update={"verdict": said})
    if verdict is None:
        return grade.model_copy(update={"by": "judge", "verdict": said, "missing": NO_VERDICT})
    return Grade(success=verdict, score=float(verdict), by="judge", verdict=said)
