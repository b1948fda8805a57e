"""A planted cause is found and costed; what merely goes along with success is not."""

import random
from dataclasses import replace

import pytest
from trace_builders import a_record, a_table, rooms_of, run_inputs, visits

from ninefold.analysis import analyze
from ninefold.api.findings import AnalysisReport
from ninefold.traces import bucket_of
from ninefold.traces.model import TraceRecord

DAY = 86_400 * 10**9


def report(
    records: list[TraceRecord], intent_key: str | None = "app.museum", task_key: str | None = "app.task"
) -> AnalysisReport:
    return analyze(a_table(records, task_key=task_key), run_inputs(intent_key, task_key)).report


@pytest.fixture(scope="module")
def found() -> AnalysisReport:
    """The analysis of 800 visits in which looking up helps."""
    return report(visits(800))


class TestAMissingLookUp:
    def test_it_is_the_first_pattern_with_its_facts(self, found: AnalysisReport) -> None:
        worst = found.patterns[0]
        assert (worst.kind, worst.decision.point) == ("ContextGap", "first call")
        assert worst.decision.taken == "museum(command=open …)"
        assert worst.decision.better_example == "list rooms"
        assert worst.decision.tool == "museum"
        assert {f.source for f in worst.facts} == {"list rooms"}

    def test_the_matched_effect_is_the_planted_one(self, found: AnalysisReport) -> None:
        effect = found.patterns[0].effect
        assert effect.low < 0.6 < effect.high
        assert found.patterns[0].p_value < 1e-6

    def test_figures_agree_with_each_other(self, found: AnalysisReport) -> None:
        worst = found.patterns[0]
        assert worst.regret == pytest.approx(worst.effect.low * worst.traces)
        assert worst.predicted_gain == pytest.approx(worst.effect.estimate * worst.traces / found.analysed)
        assert 0 < worst.nines_lost.low < worst.nines_lost.estimate < worst.nines_lost.high
        assert worst.failures <= worst.traces <= found.analysed

    def test_evidence_is_of_failed_traces_of_the_analysis_bucket(self, found: AnalysisReport) -> None:
        records = {r.trace_id: r for r in visits(800)}
        for trace_id in found.patterns[0].evidence:
            assert bucket_of(records[trace_id].session_id) == "analysis"
            assert records[trace_id].scores[0].value == 0.0

    def test_the_best_evidence_is_told_step_by_step(self, found: AnalysisReport) -> None:
        for pattern in found.patterns:
            assert [c.step for c in pattern.credits] == list(range(1, len(pattern.credits) + 1))
            assert pattern.credits[-1].value == 0.0  # it failed
            assert all(c.low <= c.credit <= c.high for c in pattern.credits)
        assert min(found.patterns[0].credits, key=lambda c: c.credit).what.startswith("museum(command=open …)")

    def test_the_sentence_has_the_figures(self, found: AnalysisReport) -> None:
        worst = found.patterns[0]
        assert f"{worst.traces} traces, {worst.failures} failed" in worst.summary
        assert "matched within the" in worst.summary

    def test_the_loop_after_the_error_is_a_pattern_of_its_own(self, found: AnalysisReport) -> None:
        (loop,) = [p for p in found.patterns if p.kind == "ErrorLoop"]  # its second time in a row is not told again
        assert loop.decision.point == "after error There is no room <str> here"
        assert loop.errors == ["There is no room <str> here"]
        assert loop.facts == []

    def test_ids_are_stable_over_cycles(self, found: AnalysisReport) -> None:
        again = report(visits(900, seed=5))
        assert {p.id for p in found.patterns} == {p.id for p in again.patterns}


class TestInventedNames:
    def test_names_that_nothing_supports_and_that_fail_are_a_trigger(self) -> None:
        rng = random.Random(3)
        records = []
        for n in range(800):
            task, rooms = n // 4, rooms_of(n // 4 % 8)
            wanted, invents = rng.choice(rooms), rng.random() < 0.5
            calls = [("open attics", "There is no room 'attics' here", False), ("list rooms", str(rooms), True)]
            calls.append(
                (f"open {'grand_' if invents else ''}{wanted}", "Nothing there" if invents else "Hi", not invents)
            )
            solved = rng.random() < (0.2 if invents else 0.8)
            meta = {"app__museum": f"m{task % 8}", "app__task": f"t{task}"}
            records.append(a_record(f"t{n}", calls, solved=solved, session=f"s{n}", **meta))
        found = report(records).patterns
        assert [p.kind for p in found] == ["HallucinationTrigger"]
        assert found[0].effect.low < 0.6 < found[0].effect.high
        assert found[0].facts


class TestWhatIsNoPattern:
    def test_a_choice_that_changes_nothing(self) -> None:
        assert report(visits(800, helps=0.0)).patterns == []

    def test_what_differs_only_between_tasks_is_called_a_mix_of_tasks(self) -> None:
        found = report(visits(800, helps=0.0, hardness=0.4))
        assert found.patterns == []
        assert any("it lies between tasks (TaskMix)" in sentence for sentence in found.unidentified)

    def test_without_task_and_intent_nothing_can_be_matched(self) -> None:
        found = report(visits(800, museums=1), intent_key=None, task_key=None)
        assert found.patterns == []
        assert any(
            "TaskMix" in sentence and "a task key or an intent key" in sentence for sentence in found.unidentified
        )

    def test_too_few_tasks_are_said_to_be_too_few(self) -> None:
        found = report(visits(120, look=0.05))
        assert found.patterns == []
        assert any("distinct tasks stand on the smaller side and 20 are needed" in s for s in found.unidentified)

    def test_permuted_outcomes_hold_no_patterns(self) -> None:
        reported = 0
        for seed in range(5):
            records = visits(300, seed=seed)
            outcomes = [r.scores for r in records]
            random.Random(seed).shuffle(outcomes)
            mixed = [
                type(r)(**{f: getattr(r, f) for f in r.__slots__ if f != "scores"}, scores=s)
                for r, s in zip(records, outcomes, strict=True)
            ]
            reported += bool(report(mixed).patterns)
        assert reported <= 1

    def test_traces_without_calls_are_no_trouble(self) -> None:
        found = report([a_record(f"t{n}", [], solved=n % 2 == 0, app__museum="m", app__task=f"{n}") for n in range(50)])
        assert (found.patterns, found.unidentified) == ([], [])


class TestDrift:
    def test_what_a_rollout_mended_is_to_its_credit_and_promises_little(self) -> None:
        before = [replace(r, agent_version="v1") for r in visits(800, look=0.3)]
        later = [
            replace(r, trace_id=f"later-{r.trace_id}", session_id=f"later-{r.session_id}", agent_version="v2",
                    start_ts=r.start_ts + DAY, end_ts=r.end_ts + DAY)
            for r in visits(800, seed=1, look=1.0)
        ]  # fmt: skip
        steps = [replace(r, steps=tuple(replace(s, trace_id=r.trace_id) for s in r.steps)) for r in before + later]
        worst = next(p for p in report(steps).patterns if p.kind == "ContextGap")
        assert worst.drift is not None
        assert (worst.drift.change, worst.drift.version) == ("Vanished", "v2")
        assert worst.drift.before > 0.5 and worst.drift.after < 0.05
        assert worst.predicted_gain < 0.05

    def test_what_was_there_all_along_has_not_drifted(self, found: AnalysisReport) -> None:
        assert found.patterns[0].drift is None
