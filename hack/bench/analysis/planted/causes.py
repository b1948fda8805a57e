"""The file of planted causes, and what a finding of each must name."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).with_name("causes.json")
KINDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "missing_fact": (frozenset({"ContextGap", "PolicyBreach"}), frozenset({"update_record", "lookup_region"})),
    "wrong_tool_first": (frozenset({"ToolSelectionBias", "ContextGap"}), frozenset({"search_web"})),
    "tool_bias_by_intent": (frozenset({"ToolSelectionBias"}), frozenset({"legacy_lookup", "get_invoice"})),
    "invented_identifier": (frozenset({"HallucinationTrigger"}), frozenset({"get_customer"})),
    "retry_loop": (frozenset({"ErrorLoop"}), frozenset({"charge_card"})),
    "early_stop": (frozenset({"ContextGap", "PolicyBreach"}), frozenset({"verify_reply"})),
    "policy_breach": (frozenset({"PolicyBreach", "ContextGap"}), frozenset({"issue_refund", "check_eligibility"})),
    "novel_scenario": (frozenset({"NovelScenario"}), frozenset({"get_account"})),
}
"""What was planted -> kinds of pattern that say it rightly, and tools of which a finding must name at least one."""

DECOYS: dict[str, frozenset[str]] = {
    "task_mix": frozenset({"search_kb"}),
    "symptom": frozenset({"log_issue"}),
    "intent_mix": frozenset({"open_ticket"}),
    "length": frozenset({"read_notes", "list_events", "get_profile"}),
    "harmless_error": frozenset({"check_cache"}),
}
"""What correlates with failure and causes none -> tools that a finding which fell for it would blame."""


@dataclass(frozen=True)
class Cause:
    """`rate`: share of the eligible traces in which it acts; `loss`: what it takes from the chance of success.

    `intents` limits it; empty is everywhere.
    """

    name: str
    kind: str
    rate: float
    loss: float
    intents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that is planted in one population."""

    causes: tuple[Cause, ...]
    decoys: frozenset[str]

    def of(self, kind: str) -> tuple[Cause, ...]:
        return tuple(c for c in self.causes if c.kind == kind)


def read_plan(path: Path = DEFAULT) -> Plan:
    """The plan in a file. Raises ValueError with a sentence for a kind or decoy that is unknown."""
    raw: dict[str, Any] = json.loads(path.read_text())
    causes = tuple(Cause(**{**c, "intents": tuple(c.get("intents", ()))}) for c in raw["causes"])
    for cause in causes:
        if cause.kind not in KINDS:
            raise ValueError(f"{path}: {cause.name!r} is of kind {cause.kind!r}: write one of {', '.join(KINDS)}")
        if len([c for c in causes if c.name == cause.name]) > 1:
            raise ValueError(f"{path}: two causes are named {cause.name!r}: give each a name of its own")
    if unknown := set(raw.get("decoys", ())) - set(DECOYS):
        raise ValueError(f"{path}: there is no decoy {sorted(unknown)[0]!r}: write some of {', '.join(DECOYS)}")
    return Plan(causes, frozenset(raw.get("decoys", ())))
