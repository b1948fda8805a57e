"""Facts come from what later calls needed, never from what belongs to somebody."""

import json
import random

from trace_builders import a_record, a_table, rooms_of, visits

from ninefold.analysis.embedded import Embedded
from ninefold.analysis.facts import Knowledge, mine
from ninefold.analysis.judged import judged
from ninefold.analysis.population import Population, load
from ninefold.analysis.sample import sample
from ninefold.traces.model import TraceRecord


def knowledge(records: list[TraceRecord], intent_key: str | None = "app.museum") -> Knowledge:
    table = a_table(records)
    with Embedded() as engine:
        return mine(load(engine, Population.of_sample(sample(table, judged(table, intent_key)))), intent_key)


def test_what_a_look_up_shows_becomes_a_fact_of_its_intent() -> None:
    found = knowledge(visits(300))
    assert found.informing == {"museum(command=list …)"}
    facts = {fact.when["app.museum"]: fact for fact in found.facts}
    assert set(facts) == {f"m{n}" for n in range(8)}
    assert all(facts[f"m{n}"].tokens == rooms_of(n) for n in range(8))
    assert facts["m0"].source == "list rooms"
    assert facts["m0"].tasks >= 5


def test_what_the_final_action_shows_is_no_fact() -> None:
    tokens = {token for fact in knowledge(visits(300)).facts for token in fact.tokens}
    assert not tokens & {"Welcome", "ticket"}


def look_up_of_customers(shared_users: bool) -> list[TraceRecord]:
    """Customers' orders: every customer's look-up is named again later, as often as a list of rooms would be."""
    rng = random.Random(1)
    records = []
    for n in range(300):
        user = n % 60 if shared_users else n
        orders = [f"order{chr(97 + user % 26)}{chr(97 + user // 26)}{c}" for c in "abc"]
        calls = [
            (f"orders of customer{chr(97 + user % 26)}{chr(97 + user // 26)}", json.dumps(orders), True),
            (f"cancel {rng.choice(orders)}", "done", True),
        ]
        records.append(a_record(f"t{n}", calls, session=f"s{n}", app__task=f"task{n}", app__museum="m"))
    return records


def test_what_a_customers_look_up_shows_is_his_alone() -> None:
    assert knowledge(look_up_of_customers(shared_users=False)).facts == []


def test_a_fact_that_only_one_task_saw_needs_a_question_of_known_words() -> None:
    records = visits(300)
    once = [
        a_record("plain", [("list rooms", '["attic_9"]', True)], app__museum="m9", app__task="x"),
        a_record("named", [("list janes_rooms", '["cellar_9"]', True)], app__museum="m9", app__task="y"),
        a_record("quoted", [("list 'jane'", '["loft_9"]', True)], app__museum="m9", app__task="z"),
    ]
    tokens = {t for f in knowledge(records + once).facts if f.when == {"app.museum": "m9"} for t in f.tokens}
    assert tokens == {"attic_9"}


def test_what_every_intent_is_shown_alike_belongs_to_none() -> None:
    records = visits(300)
    for n in range(40):
        calls = [("list towns", '["Rome", "Oslo"]', True), ("open Rome", "Welcome", True)]
        records.append(a_record(f"t{n}", calls, app__museum=f"m{n % 8}", app__task=f"towns{n}"))
    sources = {fact.source for fact in knowledge(records).facts}
    assert "list rooms" in sources
    assert "list towns" not in sources


def test_a_name_that_was_used_again_and_again_and_solved_nothing_is_dropped() -> None:
    records = visits(400, museums=1, helps=0.8)
    for n in range(40):
        calls = [("list rooms", '["vault_0", "phantom"]', True), ("open phantom", "Welcome", True)]
        records.append(a_record(f"t{n}", calls, solved=False, app__museum="m0", app__task=f"phantom{n}"))
    tokens = {token for fact in knowledge(records).facts for token in fact.tokens}
    assert "vault_0" in tokens
    assert "phantom" not in tokens


def test_names_that_successful_traces_used_need_no_source() -> None:
    records = visits(300)
    for n in range(12):
        records.append(a_record(f"t{n}", [("open orangery", "Welcome", True)], app__museum="m1", app__task=f"o{n}"))
        records.append(
            a_record(f"f{n}", [("open dungeon", "Welcome", True)], solved=False, app__museum="m1", app__task=f"d{n}")
        )
    unsourced = {t for f in knowledge(records).facts if f.source.startswith("calls of successful") for t in f.tokens}
    assert unsourced == {"orangery"}


def test_without_an_intent_facts_hold_always() -> None:
    found = knowledge(visits(300, museums=1), intent_key=None)
    assert [(f.when, f.source, f.tokens) for f in found.facts] == [({}, "list rooms", rooms_of(0))]


def test_a_population_without_calls_knows_nothing() -> None:
    assert knowledge([a_record("t", [], app__museum="m", app__task="x")]) == Knowledge([], frozenset(), frozenset())
