"""What the conditions of a run say of its results."""

from ninefold.api.findings import AnalysisReport, Calibration
from ninefold.api.standing import SuccessRate
from ninefold.controllers.run_results import _analysis_sentence


def test_what_was_redacted_is_not_said_to_be_left_out() -> None:
    report = AnalysisReport(
        traces=520,
        analysed=306,
        steps=8070,
        losses={"malformed": 2, "unjudged": 0, "redacted_mail": 16, "redacted_phone": 13},
        success=SuccessRate(traces=520, rate=0.481, low=0.438, high=0.524, nines=0.25),
    )

    assert _analysis_sentence(report) == (
        "520 traces (306 analysed, 8070 steps), success 0.481 (0.438-0.524), 0 patterns; "
        "left out: 2 malformed; redacted: 16 mail, 13 phone"
    )


def test_poor_calibration_is_said_with_what_is_needed() -> None:
    report = AnalysisReport(
        traces=200,
        analysed=120,
        steps=900,
        success=SuccessRate(traces=200, rate=0.42, low=0.354, high=0.489, nines=0.19),
        calibration=Calibration(traces=63, auc=0.64, brier_skill=0.04, slope=0.54, weak=True),
    )

    assert _analysis_sentence(report) == (
        "200 traces (120 analysed, 900 steps), success 0.420 (0.354-0.489), 0 patterns; poorly calibrated, so patterns "
        "are weak: AUC 0.64 (at least 0.60), Brier skill 0.04 (at least 0.02), slope 0.54 (0.6 to 1.6)"
    )
