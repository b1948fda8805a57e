"""One analysis gives a report and two sets of held-out cases, which share nothing."""

from trace_builders import a_record, a_table, run_inputs, visits

from ninefold.analysis import Analysis, analyze
from ninefold.traces import bucket_of


def analysis(n: int = 400, **policy: object) -> Analysis:
    return analyze(a_table(visits(n)), run_inputs(**policy))  # type: ignore[arg-type]


def test_every_judged_trace_falls_into_exactly_one_bucket() -> None:
    done = analysis()
    held_out = [c.case_id for c in (*done.selection.cases, *done.sealed.cases)]
    assert len(held_out) == len(set(held_out)) == 400 - done.report.analysed
    sessions = {r.trace_id: r.session_id for r in visits(400)}
    assert {bucket_of(sessions[c.case_id]) for c in done.selection.cases} == {"selection"}
    assert {bucket_of(sessions[c.case_id]) for c in done.sealed.cases} == {"sealed"}


def test_a_case_is_what_is_needed_to_run_it_again() -> None:
    case = analysis().selection.cases[0]
    assert case.input == "Open a room."
    assert case.intent == case.metadata["app.museum"]
    clusters = {c.metadata["app.task"]: c.cluster for c in analysis().selection.cases}
    assert all(c.cluster == clusters[c.metadata["app.task"]] for c in analysis().selection.cases)


def test_the_report_names_no_held_out_trace_and_no_case() -> None:
    done = analysis()
    text = done.report.to_bytes().decode()
    assert not any(f'"{c.case_id}"' in text for c in (*done.selection.cases, *done.sealed.cases))
    assert done.report.cases == []


def test_the_sample_keeps_the_mix_and_is_always_the_same() -> None:
    whole, part, again = (
        analysis(800),
        analysis(800, replay={"maxCases": 60}),
        analysis(800, replay={"maxCases": 60}),
    )
    assert part.sealed == again.sealed
    assert len(part.sealed.cases) == 60
    rate = [sum(c.succeeded for c in s.sealed.cases) / len(s.sealed.cases) for s in (whole, part)]
    assert abs(rate[0] - rate[1]) < 0.05
    assert {c.intent for c in part.sealed.cases} == {f"m{n}" for n in range(8)}


def test_success_has_its_interval_and_nines() -> None:
    success = analysis().report.success
    assert success.traces == 400
    assert success.low < success.rate < success.high
    assert 0 < success.nines < 0.5


def test_unjudged_traces_and_traces_without_input_are_counted() -> None:
    silent = a_record("silent", [], app__museum="m0", app__task="x")
    for step in ("steps", "messages"):
        object.__setattr__(silent, step, type(getattr(silent, step))())
    records = [*visits(100), a_record("open", [], solved=None, app__museum="m0", app__task="y"), silent]
    report = analyze(a_table(records), run_inputs()).report
    assert report.losses == {"unjudged": 1, "cases_without_input": 1}
    assert report.traces == 101


def test_sessions_that_share_a_task_are_one_cluster() -> None:
    calls = [("list rooms", "[]", True)]
    shared = [a_record(f"t{n}", calls, session=f"s{n // 2}", app__museum="m", app__task=f"k{n % 3}") for n in range(60)]
    done = analyze(a_table(shared), run_inputs())
    assert len({c.cluster for c in (*done.selection.cases, *done.sealed.cases)}) == 1
