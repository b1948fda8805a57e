"""Decisions over coded traces: planted causes are found, decoys are not, and shards add up."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import bench.analysis
from bench.analysis.planted import populate, read_plan, tables
from bench.analysis.planted.score import Finding, score
from ninefold.analysis.decisions import tables as counted
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.decisions.study import Study, study
from ninefold.analysis.decisions.values import credit
from ninefold.analysis.decisions.values import score as calibration
from ninefold.analysis.embedded import Embedded
from ninefold.traces.table import StepTable

PLAN = read_plan()
TRACES = 6_000
FREQUENT = Path(bench.analysis.__path__[0]) / "others" / "common.json"


def shard(traces: int = TRACES, number: int = 0, *, permuted: bool = False) -> tuple[StepTable, pa.Table]:
    """A shard and its truth; with outcomes shuffled within each task when `permuted`."""
    made = tables(populate(traces, 11, PLAN, number))
    rows = made.traces
    if permuted:
        solved = rows["outcome"].to_numpy(zero_copy_only=False)
        tasks = np.array(rows["task_key"].to_pylist())
        order = np.lexsort((np.random.default_rng(1).random(len(tasks)), tasks))
        shuffled = np.empty_like(solved)
        shuffled[np.argsort(tasks, kind="stable")] = solved[order]
        rows = rows.set_column(rows.schema.get_field_index("outcome"), "outcome", pa.array(shuffled))
    return StepTable(rows, made.steps, pa.table({}), made.messages), made.truth


def studied(*shards: StepTable, intent: str | None = "app.intent") -> Study:
    with Embedded() as engine:
        coder = Coder(engine, intent)
        for one in shards:
            coder.add(one)
        return study(engine, coder, min_support=20, rate=0.1)


@pytest.fixture(scope="module")
def found() -> Study:
    return studied(shard()[0])


def test_every_planted_cause_is_found_once_and_no_decoy(found: Study) -> None:
    said = [
        Finding(p.kind, [p.decision.taken, p.decision.better or "", p.decision.point], p.decision.taken, p.evidence)
        for p in found.patterns
    ]
    result = score(said, shard()[1], PLAN)
    assert (result.missed, result.decoys) == ((), ())
    assert result.precision >= 0.9


def test_of_causes_that_are_frequent_each_is_told_and_what_only_follows_them_is_not() -> None:
    plan = read_plan(FREQUENT)
    made = tables(populate(20_000, 3, plan))
    table = StepTable(made.traces, made.steps, pa.table({}), made.messages)
    said = [
        Finding(p.kind, [p.decision.taken, p.decision.better or "", p.decision.point], p.decision.taken, p.evidence)
        for p in studied(table).patterns
    ]
    result = score(said, made.truth, plan)
    assert (result.missed, result.decoys) == ((), ())


def test_a_mix_of_tasks_is_named_as_one(found: Study) -> None:
    assert any(sentence.startswith("TaskMix: ") for sentence in found.unidentified)


def test_outcomes_shuffled_within_tasks_show_no_pattern() -> None:
    assert studied(shard(permuted=True)[0]).patterns == []


def test_without_task_and_intent_nothing_is_claimed() -> None:
    table = shard(1_000)[0]
    traces = table.traces.set_column(6, "task_key", pa.nulls(table.traces.num_rows, pa.string()))
    assert studied(StepTable(traces, table.steps, table.scores, table.messages), intent=None).patterns == []


def test_the_order_of_shards_changes_nothing() -> None:
    a, b = shard(2_000, 0)[0], shard(2_000, 1)[0]
    one, other = studied(a, b), studied(b, a)
    assert one.patterns == other.patterns
    assert one.unidentified == other.unidentified
    assert one.values.calibration == other.values.calibration


def test_an_invented_number_is_seen_and_one_that_a_result_showed_is_not() -> None:
    table = shard(500)[0]
    with Embedded() as engine:
        coder = Coder(engine, "app.intent")
        coder.add(table)
        bare = {s.action for s in coder.codes.symbols if s.bare}
    assert bare == {"get_customer(customer_id=…)"}


def test_states_count_only_steps_that_something_follows() -> None:
    with Embedded() as engine:
        coder = Coder(engine, "app.intent")
        coder.add(shard(500)[0])
        symbols = coder.codes.symbols
        states = counted.states(engine, counted.intents(engine))
        steps = engine.query("SELECT sum(length(seq) - 1) AS n, countIf(seq[1] != 1) AS odd FROM coded")[0]
        answers = {i for i, s in enumerate(symbols) if s.action == "answer"}
    assert int(states.n.sum()) == steps["n"]
    assert steps["odd"] == 0
    assert not answers & set(states.last.tolist())


def test_credits_of_a_trace_add_up_to_what_its_outcome_changed(found: Study) -> None:
    seq = [1, 8, 12, 5, 2]
    steps = credit(found.values, "refund", seq, solved=False)
    before, _ = found.values.of("refund", 0, 1, 1, without=False)
    assert sum(s.credit for s in steps) == pytest.approx(0.0 - before)
    assert all(s.low <= s.credit <= s.high for s in steps)


def test_a_trace_has_no_say_in_what_its_own_states_are_worth(found: Study) -> None:
    place, rare = max(found.values.known.items(), key=lambda k: k[1].error)
    without_failed, without_solved = rare.others
    assert without_solved < without_failed
    assert found.values.of(*place, without=True) == (without_solved, rare.error)
    assert found.values.of(*place, without=False) == (without_failed, rare.error)
    assert found.values.of("nobody's", 0, 1, 1, without=True) == found.values.everybody


def test_true_chances_are_calibrated_and_bold_ones_are_not() -> None:
    p = np.array([0.2, 0.5, 0.8])
    n, x = np.array([1000, 1000, 1000]), np.array([200, 500, 800])
    assert calibration(p, n, x).slope == pytest.approx(1.0, abs=0.01)
    assert calibration(np.array([0.02, 0.5, 0.98]), n, x).slope < 0.5
    assert calibration(np.array([0.5, 0.5, 0.5]), n, x).weak


def test_what_was_done_before_is_the_same_under_one_key_and_under_two() -> None:
    with Embedded() as engine:
        coder = Coder(engine, "app.intent")
        coder.add(shard(500)[0])
        names = [f"action {i}" for i in range(len(coder.codes.symbols))]
        intents = counted.intents(engine)
        near = counted.precedence(engine, intents, list(range(len(names))))
        # The same actions under far bits: too wide for one key.
        far = counted.precedence(engine, intents, [i and i + 63 - len(names) for i in range(len(names))])
    assert int(near.n.sum()) == int(far.n.sum()) > 0
    found = [sorted(zip(p.intent, np.bitwise_count(p.mask), p.n, p.x, strict=True)) for p in (near, far)]
    assert found[0] == found[1]
