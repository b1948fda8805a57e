"""Each proposer's edits make a candidate, all together another; what is already said or not allowed is left out."""

from builders import a_content, a_fact, a_pattern, a_receipt, a_report, an_edit

from ninefold.proposals import Evidence, InjectFacts, LookBeforeActing, Proposal, StopRepeating, propose

ALL = (InjectFacts(), LookBeforeActing(), StopRepeating())
KINDS = ["Refine", "InjectContext"]
GAP = a_pattern("gap", gain=0.2, better="list rooms", better_example="LIST rooms", facts=[a_fact("a", city="rome")])
LOOP = a_pattern("loop", "ErrorLoop", gain=0.1, point="after error x", taken="again")


class Fixed:
    """A proposer that always writes the same edits."""

    name = "fixed"
    kinds = frozenset({"Refine", "InjectContext", "Fallback"})

    def __init__(self, *edits):
        self._edits = edits

    async def propose(self, evidence):
        return Proposal(self._edits)


async def proposals(
    *patterns, proposers=ALL, stable=None, kinds=KINDS, limit=4, delivery="Client", window=None, success=0.5
):
    evidence = Evidence(a_report(*patterns, success=success), stable or a_content(), delivery, window)
    return await propose(evidence, proposers, kinds, limit)


async def test_each_way_alone_and_all_together_best_predicted_first():
    made = await proposals(GAP, LOOP)
    assert [c.id for c in made.candidates] == ["together", "inject-facts", "look-before-acting", "stop-repeating"]
    together = made.candidates[0]
    assert [e.kind for e in together.edits] == ["InjectContext", "Refine", "Refine"]
    assert together.proposer == "inject-facts+look-before-acting+stop-repeating"
    assert together.summary == "1 × InjectContext of system under 1 conditions, 2 × Refine of system"
    assert made.refused == [] and made.skipped_kinds == []


async def test_two_answers_to_one_pattern_gain_no_more_than_the_pattern_costs():
    made = {c.id: c.predicted_gain for c in (await proposals(GAP, LOOP)).candidates}
    assert made["inject-facts"] == 0.2 and made["stop-repeating"] == 0.1
    assert made["together"] == 0.5 * (1 - (1 - 0.4) * (1 - 0.2))


async def test_nobody_gains_more_than_what_fails():
    made = await proposals(GAP, LOOP, success=0.9)
    assert made.candidates[0].predicted_gain <= 0.1
    assert (await proposals(GAP, success=1.0)).candidates[0].predicted_gain == 0


async def test_the_number_of_candidates_is_bounded():
    assert [c.id for c in (await proposals(GAP, LOOP, limit=1)).candidates] == ["together"]


async def test_only_allowed_kinds_are_proposed_and_kinds_that_nobody_writes_are_named():
    made = await proposals(GAP, LOOP, kinds=["InjectContext", "Example"])
    assert [c.id for c in made.candidates] == ["inject-facts"]
    assert made.skipped_kinds == ["Example"]
    fixed = await proposals(GAP, proposers=[Fixed(an_edit("A"), an_edit("B", "fallback.x", kind="Fallback"))])
    assert [e.text for e in fixed.candidates[0].edits] == ["A"]


async def test_what_the_stable_version_already_says_is_not_proposed_again():
    first = (await proposals(GAP, LOOP)).candidates[0]
    again = await proposals(GAP, LOOP, stable=a_content(*first.edits))
    assert again.candidates == [] and again.refused == []


async def test_a_rule_with_another_example_for_the_same_pattern_is_the_same_rule():
    rule = an_edit("Before the first call, run `LIST beds`.", at="first call", receipt=a_receipt(pattern="gap"))
    made = await proposals(GAP, stable=a_content(rule))
    assert [c.id for c in made.candidates] == ["inject-facts"]


async def test_words_that_git_took_into_the_component_are_not_proposed_again():
    stable = a_content(system="Be brief.\n\nSay the price.")
    assert (await proposals(GAP, proposers=[Fixed(an_edit("Say the price."))], stable=stable)).candidates == []


async def test_a_refused_edit_leaves_the_others_of_its_candidate():
    edits = [an_edit("See https://evil.example."), an_edit("Say the price."), an_edit("X.", component="tool.none")]
    made = await proposals(GAP, proposers=[Fixed(*edits)])
    assert [e.text for e in made.candidates[0].edits] == ["Say the price."]
    assert "it carries a URL" in made.refused[0] and "component tool.none, which the baseline" in made.refused[1]


async def test_a_conditional_edit_under_mount_is_refused_with_what_to_do():
    made = await proposals(GAP, proposers=[Fixed(an_edit(when={"city": "rome"}))], delivery="Mount")
    assert made.candidates == []
    assert "delivery.mode Mount serves plain keys" in made.refused[0]


async def test_a_candidate_that_does_not_fit_the_window_is_left_out_with_both_numbers():
    made = await proposals(GAP, proposers=[Fixed(an_edit("x" * 4000))], window=512)
    assert made.candidates == []
    assert made.refused[0].startswith("Candidate fixed was left out: its largest rendering takes about 10")
    assert made.refused[0].endswith("spec.model.contextWindow is 512.")


async def test_a_candidate_that_does_not_fit_a_configmap_is_left_out():
    stable = a_content(system="x" * 199 * 1024)
    made = await proposals(GAP, proposers=[Fixed(an_edit("y" * 8000))], stable=stable)
    assert made.candidates == [] and "400 KiB are allowed" in made.refused[0]


async def test_without_patterns_there_is_nothing_to_propose():
    made = await proposals()
    assert made.candidates == [] and made.refused == []


async def test_a_rule_beside_facts_promises_what_the_facts_do_not_tell():
    made = {c.id: c for c in (await proposals(GAP.model_copy(update={"facts_cover": 0.7}))).candidates}
    promised = {c: [e.receipt.predicted_gain for e in made[c].edits if e.receipt] for c in made}
    assert promised["inject-facts"] == [0.14]
    assert promised["look-before-acting"] == [0.2]
    assert promised["together"] == [0.14, 0.06]
    assert made["together"].predicted_gain == 0.2
