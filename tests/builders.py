"""Builders: a test case in one line. Additive; every builder gives a valid value whose parts can be named."""

from typing import Any, Literal

from ninefold.api.edits import Edit, Receipt
from ninefold.api.findings import AnalysisReport, Decision, Fact, Interval, Pattern
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, NULL_CONTROL, Outcome, ReplayReport, ReplayRow
from ninefold.api.standing import SuccessRate
from ninefold.versions import Version, new_version

SYSTEM = "You book rooms. Use the tool find_room."


def an_edit(text: str = "Say the price.", component: str = "system", **rest: Any) -> Edit:
    return Edit(component=component, kind=rest.pop("kind", "Refine"), text=text, **rest)


def a_receipt(**rest: Any) -> Receipt:
    return Receipt(**{"pattern": "p-1", "summary": "Rooms are named that no result has shown.", **rest})


def a_content(*edits: Edit, **components: str) -> VersionContent:
    """Components by keyword (`tool_search` stands for `tool.search`); without any: one system prompt."""
    texts = {name.replace("_", ".", 1): text for name, text in components.items()} or {"system": SYSTEM}
    return VersionContent(components=texts, edits=list(edits))


def a_version(
    number: int = 1, *edits: Edit, parent: str | None = None, baseline: VersionContent | None = None
) -> Version:
    """A version that adds edits to a baseline."""
    base = baseline or a_content()
    content = VersionContent(components=base.components, edits=[*base.edits, *edits])
    return new_version(number, content, base, parent=parent)


def an_outcome(success: bool | None, **rest: Any) -> Outcome:
    return Outcome(success=success, steps=3, tokens=rest.pop("tokens", 0 if success is None else 100), **rest)


def replay_rows(
    wins: int = 0,
    losses: int = 0,
    both: int = 0,
    neither: int = 0,
    *,
    arm: str = "c1",
    start: int = 0,
    intent: str | None = None,
    cluster: str | None = None,
) -> list[ReplayRow]:
    """Rows under baseline, one arm and a null edit that changes nothing; a cluster each, unless one is named."""
    pairs = [(False, True)] * wins + [(True, False)] * losses + [(True, True)] * both + [(False, False)] * neither
    return [
        ReplayRow(
            case_id=f"case-{n}",
            cluster=cluster or f"task-{n}",
            intent=intent,
            outcomes={
                BASELINE: an_outcome(before),
                NULL_CONTROL: an_outcome(before),
                arm: an_outcome(after),
            },
        )
        for n, (before, after) in enumerate(pairs, start)
    ]


def a_replay(rows: list[ReplayRow], bucket: Literal["selection", "sealed"] = "sealed", **rest: Any) -> ReplayReport:
    """A report over these rows whose prompts are small."""
    arms = list(dict.fromkeys(arm for row in rows for arm in row.outcomes))
    return ReplayReport(
        bucket=bucket, arms=arms, rows=rows, prompt_tokens=rest.pop("prompt_tokens", dict.fromkeys(arms, 50)), **rest
    )


def a_fact(*tokens: str, tasks: int = 30, source: str = "list_rooms", **when: str) -> Fact:
    return Fact(when=when, source=source, tokens=list(tokens), tasks=tasks)


def a_pattern(pattern_id: str = "p-1", kind: str = "ContextGap", gain: float = 0.1, **rest: Any) -> Pattern:
    """A pattern at the first call of `find_room`, answered by `list_rooms`; parts of its decision by keyword."""
    decision = {"point": "first call", "taken": "find_room <name>", "tool": "find_room"}
    decision |= {key: rest.pop(key) for key in list(rest) if key in Decision.model_fields}
    interval = Interval(estimate=gain, low=gain / 2, high=gain * 1.5)
    figures = {"failures": 40, "traces": 100, "tasks": 50, "effect": interval, "p_value": 0.001, "regret": 30.0}
    return Pattern(
        id=pattern_id,
        kind=kind,
        summary=f"{kind}: 40 of 100 traces lose here.",
        decision=Decision(**decision),
        nines_lost=interval,
        predicted_gain=gain,
        evidence=["trace-1", "trace-2"],
        **{**figures, **rest},
    )


def a_report(*patterns: Pattern, success: float = 0.5) -> AnalysisReport:
    rate = SuccessRate(traces=500, rate=success, low=max(0, success - 0.05), high=min(1, success + 0.05), nines=0.3)
    return AnalysisReport(traces=500, analysed=300, steps=3000, success=rate, patterns=list(patterns))


# ---------------------------------------------------------------- objects of the API server

BEGINNING = "2025-03-01T12:00:00Z"
NAMESPACE = "shop"


def an_object(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A custom resource as a user writes it; metadata by keyword."""
    return {
        "apiVersion": "ninefold.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": spec,
    }


def a_backend_object(name: str = "traces", volume: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    volume = volume or {"persistentVolumeClaim": {"claimName": "traces"}}
    return an_object("TraceBackend", name, {"otlp": {"volume": volume}}, **metadata)


def a_langfuse_object(name: str = "langfuse", **source: Any) -> dict[str, Any]:
    """A TraceBackend with a Langfuse server."""
    keys = {f"{side}KeySecretRef": {"name": "langfuse", "key": f"{side}-key"} for side in ("public", "secret")}
    return an_object("TraceBackend", name, {"langfuse": {"host": "http://langfuse:3000", **keys, **source}})


def an_agent_object(name: str = "support", **spec: Any) -> dict[str, Any]:
    """An Agent in mode Client with one system prompt, a replay endpoint and the pointer `<name>-prompts`."""
    delivery = {"mode": "Client", "configMap": f"{name}-prompts", **spec.pop("delivery", {})}
    whole = {
        "model": {"name": "small-1"},
        "components": [{"name": "system", "text": SYSTEM}],
        "traces": {"backendRef": {"name": "traces"}},
        "success": {"score": "solved"},
        "replay": {"endpoint": {"url": "http://support-staging/replay"}},
        "delivery": delivery,
        **spec,
    }
    return an_object("Agent", name, {key: value for key, value in whole.items() if value is not None})


def a_policy_object(name: str = "nightly", agent: str = "support", **spec: Any) -> dict[str, Any]:
    """A policy in mode Promote that asks nobody."""
    return an_object("OptimizationPolicy", name, {"agentRef": {"name": agent}, "mode": "Promote", **spec})


def a_run_object(name: str = "by-hand", policy: str = "nightly", **spec: Any) -> dict[str, Any]:
    return an_object("OptimizationRun", name, {"policyRef": {"name": policy}, **spec})
