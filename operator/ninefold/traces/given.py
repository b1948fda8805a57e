"""A recorded trace as graders see it: what was asked, what the agent was shown, and what it answered in the end."""

from collections.abc import Iterable

from ninefold.graders import Given, Grade, Graders
from ninefold.traces.model import Score, TraceRecord


def graded(record: TraceRecord, graders: Graders, score: str | None) -> tuple[Grade, str | None]:
    """The grade of a trace and its source: of a recorded score the score's own, else who graded."""
    last = newest(record.scores, score)
    grade = graders.grade(given_of(record, last))
    if grade.success is None:
        return grade, None
    return grade, last.source if last is not None and grade.by == "score" else f"ninefold/{grade.by}"


def newest(scores: Iterable[Score], name: str | None) -> Score | None:
    """The newest score of that name that is a number, one about the whole trace before one of a step."""
    own = [s for s in scores if s.name == name and s.value is not None]
    return max(own, key=lambda s: (s.step_id is None, s.ts), default=None)


def given_of(record: TraceRecord, score: Score | None) -> Given:
    """What graders need of a trace; the one score that may decide."""
    asked = _history(record, next((s.messages_in_hash for s in record.steps if s.messages_in_hash), None))
    whole = _history(record, next((s.messages_in_hash for s in reversed(record.steps) if s.messages_in_hash), None))
    prompts = {s.system_prompt_hash for s in record.steps if s.system_prompt_hash}
    results = [s.tool_result for s in record.steps if s.kind == "tool" and s.status == "ok" and s.tool_result]
    return Given(
        question="\n".join(text for role, text in asked if role == "user"),
        output=final_output((s.kind, s.message_out) for s in record.steps),
        shown=(
            *(text for prompt in sorted(prompts) for _, text in _history(record, prompt)),
            *(text for role, text in whole if role in ("user", "system", "developer")),
            *results,
        ),
        metadata=record.metadata,
        scores={score.name: score.value} if score is not None and score.value is not None else {},
    )


def final_output(steps: Iterable[tuple[str, str | None]]) -> str | None:
    """The last thing that the agent said, from (kind, message) of its steps in order; None when nothing was recorded.

    An agent's own span comes before those of its model calls, so the last model's message is the final one.
    """
    said = [(kind, message) for kind, message in steps if message]
    of_models = [message for kind, message in said if kind == "llm"]
    return next(reversed(of_models or [message for _, message in said]), None)


def _history(record: TraceRecord, last: str | None) -> list[tuple[str, str]]:
    """(role, content) from the first message to the one named."""
    out = []
    while last is not None and last in record.messages:
        last, role, content = record.messages[last]
        out.append((role, content))
    return out[::-1]
