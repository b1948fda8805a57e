"""What the conditions of a run say of its results."""

from ninefold.api.agent import SuccessRate
from ninefold.api.artifacts import AnalysisReport
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
