"""What a user has to mend when traces and specs do not meet: sentences with what was looked for and what is there."""

from collections.abc import Iterable

from ninefold.api.artifacts import RunInputs
from ninefold.traces.problem import TracesProblem
from ninefold.traces.table import StepTable
from ninefold.traces.tally import Tally

MAX_NAMES = 8
_UNREADABLE = ("malformed_lines", "malformed_rows", "unreadable_files", "oversized_lines", "rows_without_time")


def check(table: StepTable, inputs: RunInputs) -> None:
    """As `check_tally`, of one table."""
    check_tally(Tally.of(table), inputs)


def check_tally(found: Tally, inputs: RunInputs) -> None:
    """Raises TracesProblem for the first thing that leaves nothing to analyse; returns when there is something."""
    wanted, success = inputs.agent.traces, inputs.agent.success
    seen, losses = found.seen, found.losses
    if not seen.traces:
        if outside := losses.get("outside_window", 0):
            raise TracesProblem(
                "NoTraces",
                f"no trace started between {inputs.window_start} and {inputs.window_end}, though the backend holds "
                f"{outside} from other times: widen spec.traces.window of the policy",
            )
        unread = sum(losses.get(name, 0) for name in _UNREADABLE)
        if not unread and inputs.backend.langfuse is not None:
            raise TracesProblem(
                "NoTraces",
                f"Langfuse holds no trace that started between {inputs.window_start} and {inputs.window_end}: widen "
                "spec.traces.window of the policy, or check that the keys are those of the agent's project",
            )
        raise TracesProblem(
            "NoTraces",
            f"the backend's files hold no trace: {unread} lines, rows or files could not be read. Check that the "
            "TraceBackend names the right format and path",
        )
    if not found.traces:
        if losses.get("other_environment") and wanted.environment is not None:
            raise TracesProblem(
                "NoTracesOfEnvironment",
                f"none of the traces comes from environment {wanted.environment!r}; "
                f"{_names('seen are', seen.environments)}: set spec.traces.environment of the Agent",
            )
        raise TracesProblem(
            "NoTracesOfAgent",
            f"none of {seen.traces} traces is of agent {wanted.agent_name!r}; {_names('seen are', seen.agents)}: set "
            "spec.traces.agentName of the Agent",
        )
    keys = set(found.keys)
    if not found.judged and success.score is None:
        raise TracesProblem(
            "NothingGraded",
            f"the rules of spec.success say nothing about any of {found.traces} traces: check the keys that "
            f"they name ({_names('seen are', keys)}), and that the traces carry message content",
        )
    if not found.judged:
        scores = set(found.scores)
        what = "has a number in" if success.score in scores else "carries"
        raise TracesProblem(
            "ScoreNotFound",
            f"none of {found.traces} traces {what} the score {success.score!r}; {_names('seen are', scores)}: "
            "set spec.success.score of the Agent",
        )
    if wanted.task_key is not None and wanted.task_key not in keys:
        raise TracesProblem(
            "TaskKeyNotFound",
            f"no trace has {wanted.task_key!r} in its metadata; {_names('seen are', keys)}: set spec.traces.taskKey of "
            "the Agent, or leave it out",
        )
    intent_key = inputs.policy.analysis.intent_key
    if intent_key is not None and intent_key not in keys:
        raise TracesProblem(
            "IntentKeyNotFound",
            f"no trace has {intent_key!r} in its metadata; {_names('seen are', keys)}: set spec.analysis.intentKey of "
            "the policy, or leave it out",
        )


def _names(verb: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if not known:
        return "none was seen"
    rest = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    return f"{verb} {', '.join(name[:60] for name in known[:MAX_NAMES])}{rest}"
