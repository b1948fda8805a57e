"""One shard of traces as a matrix of slots: which call stands where, and which planted cause was at work.

An agent of a shop's support works through a fixed order of slots; what it does in each is drawn for all traces at
once. A task has an intent and a difficulty and is run about four times. Causes lower the chance of success; decoys
follow the difficulty, the intent or an earlier error, and change nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.planted.causes import Cause, Plan

SHARD = 50_000
"""Traces of one shard."""
RUNS = 4
"""Times that a task is run, on average."""
DAYS = 30
INTENTS = [
    "refund",
    "return_item",
    "invoice_question",
    "update_address",
    "change_plan",
    "export_data",
    "cancel_order",
    "track_order",
    "login_help",
    "warranty",
    "gift_card",
    "feedback",
]
HARD_INTENTS = ("warranty", "cancel_order")
FILLERS = ("read_notes", "list_events", "get_profile", "open_ticket")

CALLS = [
    "-",
    "search_orders",
    "search_web",
    "search_kb",
    "read_notes",
    "list_events",
    "get_profile",
    "open_ticket",
    "find_customer",
    "find_customer:empty",
    "list_customers",
    "get_customer",
    "get_customer:unknown",
    "get_invoice",
    "legacy_lookup",
    "lookup_region",
    "update_record",
    "update_record:default",
    "charge_card",
    "charge_card:timeout",
    "charge_invoice",
    "log_issue",
    "check_eligibility",
    "issue_refund",
    "draft_reply",
    "verify_reply",
    "answer",
    "get_account:merged",
    "check_cache:miss",
]
"""What can stand in a slot; 0 is nothing. What follows a colon is how the call goes."""
_N = {name: i for i, name in enumerate(CALLS)}

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Population:
    """`slots[i, j]` is the call of trace i at place j, an index of CALLS. Arrays have one entry a trace.

    `entity` is the customer's number, drawn by task; `invented` the number that a trace makes up.
    """

    shard: int
    seed: int
    slots: NDArray[np.uint8]
    task: NDArray[np.int64]
    intent: NDArray[np.int64]
    day: NDArray[np.int64]
    version: NDArray[np.int64]
    entity: NDArray[np.int64]
    invented: NDArray[np.int64]
    solved: Flags
    active: dict[str, Flags]


class _Draw:
    """Draws of one shard."""

    def __init__(self, n: int, seed: int, shard: int, plan: Plan) -> None:
        self.rng = np.random.default_rng([seed, shard])
        self.n, self.plan = n, plan
        tasks = max(1, n // RUNS)
        self.task = np.sort(self.rng.integers(0, tasks, n))
        of_task = self.rng.integers(0, len(INTENTS), tasks)
        hard = self.rng.beta(1.2, 3.0, tasks)
        self.intent = of_task[self.task]
        self.hard = np.clip(hard[self.task] + 0.35 * self.among(HARD_INTENTS), 0, 1)
        self.entity = self.rng.permutation(900_000)[:tasks][self.task] % 900_000 + 100_000
        self.chance = 0.98 - 0.45 * self.hard
        self.active: dict[str, Flags] = {}

    def among(self, intents: tuple[str, ...]) -> Flags:
        return np.isin(self.intent, [INTENTS.index(i) for i in intents])

    def happens(self, chance: float | NDArray[np.floating[Any]]) -> Flags:
        return np.asarray(self.rng.random(self.n) < chance)

    def plant(self, kind: str, eligible: Flags) -> Flags:
        """Where a cause of this kind acts; notes it and takes its loss from the chance of success."""
        anywhere = np.zeros(self.n, bool)
        for cause in self.plan.of(kind):
            own = eligible & ~anywhere & self.happens(cause.rate) & self._within(cause)
            self.active[cause.name] = own
            self.chance = self.chance - cause.loss * own
            anywhere |= own
        return anywhere

    def _within(self, cause: Cause) -> Flags:
        return self.among(cause.intents) if cause.intents else np.ones(self.n, bool)

    def decoy(self, name: str, chance: float | NDArray[np.floating[Any]]) -> Flags:
        return self.happens(chance) if name in self.plan.decoys else np.zeros(self.n, bool)


def populate(n: int, seed: int, plan: Plan, shard: int = 0) -> Population:
    """`n` traces, always the same for the same arguments."""
    d = _Draw(n, seed, shard, plan)
    every = np.ones(n, bool)
    columns: list[NDArray[np.uint8]] = []

    def put(*choices: tuple[Flags, str]) -> None:
        """One slot: the last choice whose flags are set; nothing where none is."""
        column = np.zeros(n, np.uint8)
        for flags, call in choices:
            column[flags] = _N[call]
        columns.append(column)

    web = d.plant("wrong_tool_first", every)
    put((every, "search_orders"), (d.decoy("task_mix", 0.05 + 0.6 * d.hard), "search_kb"), (web, "search_web"))
    merged = d.plant("novel_scenario", every)
    put((d.decoy("harmless_error", 0.02 + 0.12 * d.hard), "check_cache:miss"), (merged, "get_account:merged"))
    _fill(d, put)
    nobody = d.happens(0.25)
    put((~nobody, "find_customer"), (nobody, "find_customer:empty"))
    invented = d.plant("invented_identifier", nobody)
    put((~nobody, "get_customer"), (nobody, "list_customers"), (invented, "get_customer:unknown"))
    biased = [c.intents for c in plan.of("tool_bias_by_intent")]
    legacy = d.happens(0.4) & ~d.among(sum(biased, ())) | d.plant("tool_bias_by_intent", every)
    put((every, "get_invoice"), (legacy, "legacy_lookup"))
    records = d.among(sum((c.intents for c in plan.of("missing_fact")), ())) if plan.of("missing_fact") else ~every
    unknown = d.plant("missing_fact", records)
    put((records & ~unknown, "lookup_region"))
    put((records, "update_record"), (unknown, "update_record:default"))
    timeout = d.happens(0.25)
    loop = d.plant("retry_loop", timeout)
    put((every, "charge_card"), (timeout, "charge_card:timeout"))
    put((timeout, "charge_invoice"), (loop, "charge_card:timeout"))
    put((loop, "charge_card:timeout"))
    put((loop & d.happens(0.5), "charge_card:timeout"))
    put((d.decoy("symptom", 0.04 + 0.5 * (invented | loop)), "log_issue"))
    refunds = d.among(sum((c.intents for c in plan.of("policy_breach")), ())) if plan.of("policy_breach") else ~every
    breach = d.plant("policy_breach", refunds)
    put((refunds & ~breach, "check_eligibility"))
    put((refunds, "issue_refund"))
    _fill(d, put)
    early = d.plant("early_stop", every)
    put((every, "draft_reply"))
    put((~early, "verify_reply"))
    put((every, "answer"))
    day = d.rng.integers(0, DAYS, n)
    return Population(
        shard=shard,
        seed=seed,
        slots=np.stack(columns, axis=1),
        task=d.task,
        intent=d.intent,
        day=day,
        version=(day >= 20).astype(np.int64) + 1,
        entity=d.entity,
        invented=d.rng.integers(100_000, 1_000_000, n),
        solved=d.happens(np.clip(d.chance, 0.02, 0.98)),
        active=d.active,
    )


def _fill(d: _Draw, put: object) -> None:
    """A harmless call, or none; more of them where the task is hard, and tickets where its intent is."""
    assert callable(put)
    share = 0.35 + (0.5 * d.hard if "length" in d.plan.decoys else 0.0)
    which = d.rng.integers(0, 3, d.n)
    here = d.happens(share)
    ticket = d.decoy("intent_mix", 0.05 + 0.4 * d.among(HARD_INTENTS))
    put(*((here & (which == i), FILLERS[i]) for i in range(3)), (ticket, "open_ticket"))
