"""The generator of planted causes: alone, repeatable, and true to the table of steps."""

import ast
import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest

from bench.analysis.planted import populate, read_plan, tables
from bench.analysis.planted.otlp import lines
from bench.analysis.planted.score import Finding, score
from ninefold.traces.table import MESSAGES, STEPS, TRACES

PLAN = read_plan()


def test_it_shares_no_code_with_what_it_tests() -> None:
    found = importlib.util.find_spec("bench.analysis.planted")
    assert found is not None and found.submodule_search_locations
    for path in Path(found.submodule_search_locations[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] == "ninefold"], path


def test_its_tables_are_those_that_every_backend_ends_in() -> None:
    made = tables(populate(400, 1, PLAN))
    for table, schema in ((made.traces, TRACES), (made.steps, STEPS), (made.messages, MESSAGES)):
        assert [(f.name, f.type) for f in table.schema] == [(f.name, f.type) for f in schema]


def test_a_seed_gives_the_same_traces_and_another_shard_others() -> None:
    assert tables(populate(300, 5, PLAN)).steps.equals(tables(populate(300, 5, PLAN)).steps)
    here, there = (set(tables(populate(300, 5, PLAN, s)).traces["trace_id"].to_pylist()) for s in (0, 1))
    assert not here & there


def test_every_cause_costs_success_and_no_decoy_does() -> None:
    p = populate(20_000, 2, PLAN)
    for flags in p.active.values():
        assert p.solved[flags].mean() < p.solved[~flags].mean() - 0.1


def test_there_is_one_line_of_otlp_a_trace() -> None:
    made = tables(populate(50, 3, PLAN))
    assert len(list(lines(made))) == made.traces.num_rows


def test_a_finding_counts_when_its_evidence_shows_the_cause_and_its_words_name_it() -> None:
    truth = pa.table({"trace_id": ["a", "b"], **{c.name: [True, False] for c in PLAN.causes}})
    right = Finding("HallucinationTrigger", ["get_customer(customer_id=…)"], "get_customer", ["a"])
    elsewhere = Finding("HallucinationTrigger", ["get_customer(customer_id=…)"], "get_customer", ["b"])
    fooled = Finding("ContextGap", ["log_issue()"], "log_issue", ["a"])
    assert score([right], truth, PLAN).hits == {0: "invented customer"}
    assert score([elsewhere], truth, PLAN).recall == 0
    assert score([right, right], truth, PLAN).precision == 0.5
    assert score([fooled], truth, PLAN).decoys == ("symptom",)


def test_an_unknown_kind_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    plan = tmp_path / "causes.json"
    plan.write_text('{"causes": [{"name": "x", "kind": "gremlin", "rate": 1, "loss": 1}]}')
    with pytest.raises(ValueError, match="write one of missing_fact"):
        read_plan(plan)
