"""Graders: what one run of a case was worth, said the same way for a recorded trace and for a replayed case.

`grade` is the one function behind both: `ninefold.traces` asks it about history, `ninefold.replay` about answers of the
replay endpoint. It is pure. What a model has to say comes from `ninefold.judges`, and only where nothing here knows.
"""

from ninefold.graders.given import Given, Grade, question_of
from ninefold.graders.grading import BadRuleError, Graders, better_known
from ninefold.graders.grounding import unsupported

__all__ = ["BadRuleError", "Given", "Grade", "Graders", "better_known", "question_of", "unsupported"]
