"""Intents by clustering: the same clusters under the same names in every cycle."""

import random

import pytest

from ninefold.analysis.intents import FEWEST, NOTHING, SPACE, Intents, learn, terms

SUBJECTS = {
    "refund": ["refund", "money", "payment", "returned", "charged", "invoice"],
    "flight": ["flight", "airport", "seat", "departure", "airline", "boarding"],
    "login": ["password", "login", "account", "email", "locked", "reset"],
}
FILLER = ["please", "today", "again", "quickly", "hello", "thanks", "problem", "with", "need", "the"]


def messages(subjects: list[str], count: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """(task, text, subject): two words of the subject among filler."""
    draw = random.Random(seed)
    out = []
    for n in range(count):
        subject = subjects[n % len(subjects)]
        words = draw.sample(SUBJECTS[subject], 3) + draw.sample(FILLER, 3)
        draw.shuffle(words)
        out.append((f"task-{seed}-{n}", " ".join(words) + f" {n}", subject))
    return out


ASKED = messages(["refund", "flight", "login"], 600)


@pytest.fixture(scope="module")
def model() -> Intents:
    return learn([(task, text) for task, text, _ in ASKED])


def purity(model: Intents, asked: list[tuple[str, str, str]]) -> float:
    named = model.of([terms(text) for _, text, _ in asked])
    pairs = list(zip(named, (s for _, _, s in asked), strict=True))
    most = {name: max(SUBJECTS, key=lambda s, n=name: pairs.count((n, s))) for name in set(named)}
    return sum(most[name] == subject for name, subject in pairs) / len(pairs)


def test_what_people_ask_for_falls_into_its_kinds(model: Intents):
    assert len(model.names) >= 3
    assert purity(model, ASKED) > 0.95
    assert purity(model, messages(["refund", "flight", "login"], 300, seed=9)) > 0.95


def test_names_say_words_that_many_share_and_no_number(model: Intents):
    words = {word for name in model.names for word in name.split()[1:]}
    assert words <= {w for own in SUBJECTS.values() for w in own} | set(FILLER)
    assert not any(ch.isdigit() for word in words for ch in word)


def test_the_order_of_messages_changes_nothing(model: Intents):
    pairs = [(task, text) for task, text, _ in ASKED]
    assert learn(pairs[::-1] + pairs[:50]).to_bytes() == model.to_bytes()


def test_a_model_that_covers_what_is_asked_is_kept(model: Intents):
    later = [(task, text) for task, text, _ in messages(["refund", "flight", "login"], 400, seed=3)]
    assert learn(later, model) is model


def test_a_new_kind_gets_a_new_name_and_the_old_ones_keep_theirs():
    first = learn([(task, text) for task, text, _ in messages(["refund", "flight"], 500)])
    again = learn([(task, text) for task, text, _ in messages(["refund", "flight", "login"], 600, seed=5)], first)
    assert again is not first
    kept = set(again.names) & set(first.names)
    assert kept and set(again.names) - kept
    numbers = [int(name.split()[0].removeprefix("intent-")) for name in again.names]
    assert len(set(numbers)) == len(numbers) and again.last == max(numbers)
    refund, flight = (terms(f"{a} {b}") for a, b in (("refund", "money"), ("flight", "airport")))
    for one in (refund, flight):
        name = first.of([one])[0]
        assert again.of([one])[0] == name or name not in again.names


def test_a_model_comes_back_from_its_bytes_as_it_was(model: Intents):
    back = Intents.from_bytes(model.to_bytes())
    own = [terms(text) for _, text, _ in ASKED]
    assert back.of(own) == model.of(own)
    assert back.to_bytes() == model.to_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"names":["a"],"centres":[],"idf":{},"other":1,"near":0,"last":1}']
)
def test_other_bytes_are_no_model(data: bytes):
    with pytest.raises(ValueError, match="no model of intents"):
        Intents.from_bytes(data)


def test_few_messages_or_one_kind_of_them_have_no_intents():
    few = [(task, text) for task, text, _ in ASKED[: FEWEST - 1]]
    assert learn(few) is NOTHING
    assert learn([(f"task-{n}", "Where is my refund?") for n in range(FEWEST)]) is NOTHING
    assert NOTHING.of([terms("refund")]) == [""]


def test_words_are_places_in_ascending_order_and_a_message_without_words_has_none(model: Intents):
    found = terms("Refund, refund the MONEY 4711 a")
    assert found.tolist() == terms("the money refund").tolist() == sorted(found.tolist())
    assert max(found.tolist()) < SPACE
    assert terms("12 34 ?").tolist() == [] and model.of([terms("12 34 ?")]) == [""]
