"""What a user has to mend when traces and specs do not meet: sentences with what was looked for and what is there."""

from collections.abc import Iterable, Mapping

from ninefold.api.inputs import RunInputs
from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces.problem import TracesProblem
from ninefold.traces.table import StepTable
from ninefold.traces.tally import Tally

MAX_NAMES = 8
_UNREADABLE = (
    "malformed_lines", "malformed_records", "malformed_rows", "malformed_answers", "oversized_lines",
    "oversized_records", "oversized_traces", "rows_without_time", "truncated_files", "unreadable_files", "zip_bombs",
)  # fmt: skip


def check(table: StepTable, inputs: RunInputs) -> None:
    """As `check_tally`, of one table."""
    check_tally(Tally.of(table), inputs)


def check_tally(found: Tally, inputs: RunInputs) -> None:
    """Raises TracesProblem for the first thing that leaves nothing to analyse; returns when there is something."""
    wanted, success = inputs.agent.traces, inputs.agent.success
    seen, losses = found.seen, found.losses
    if not seen.traces:
        raise _no_traces(inputs, losses)
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


def _no_traces(inputs: RunInputs, losses: Mapping[str, int]) -> TracesProblem:
    """Nothing at all was read: other times, what could not be read, or an empty place."""
    between = f"between {inputs.window_start} and {inputs.window_end}"
    if outside := losses.get("outside_window", 0):
        return TracesProblem(
            "NoTraces",
            f"no trace started {between}, though the backend holds {outside} from other times: widen "
            "spec.traces.window of the policy",
        )
    if unread := {name: losses[name] for name in _UNREADABLE if losses.get(name)}:
        told = ", ".join(f"{name} {count}" for name, count in unread.items())
        return TracesProblem(
            "NoTraces",
            f"the backend holds no trace that could be read ({told}): check that the TraceBackend names the right "
            "format and place",
        )
    return TracesProblem(
        "NoTraces",
        f"the backend holds no trace that started {between}: widen spec.traces.window of the policy, or check "
        f"{_where(inputs.backend)}",
    )


def _where(backend: TraceBackendSpec) -> str:
    """What may have led to an empty place, by the kind of backend."""
    if backend.langfuse is not None and backend.langfuse.export is None:
        return "that the keys are those of the agent's project"
    if backend.clickhouse is not None:
        return f"that the exporter writes into {backend.clickhouse.database}.{backend.clickhouse.table}"
    if backend.tempo is not None:
        tenant = f" and tenant {backend.tempo.tenant}" if backend.tempo.tenant else ""
        return f"the query {backend.tempo.query}{tenant} in Grafana"
    if backend.jaeger is not None:
        return "that Jaeger's own page finds traces of the services"
    return "that the path names the files of the agent"


def _names(verb: str, names: Iterable[str]) -> str:
    known = sorted(names)
    if not known:
        return "none was seen"
    rest = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    return f"{verb} {', '.join(name[:60] for name in known[:MAX_NAMES])}{rest}"
