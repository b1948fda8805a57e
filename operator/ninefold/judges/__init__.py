"""A model as a judge, and whether it may be believed.

A judge (`model`) is an instrument: it counts only after it was held against outcomes that scores or rules decided
(`calibration`) and against answers that nobody may let through (`canaries`).
"""

from ninefold.judges.calibration import calibrated, judge_report
from ninefold.judges.canaries import Canary, canaries
from ninefold.judges.model import ModelJudge
from ninefold.judges.protocol import Judge

__all__ = [
    "Canary",
    "Judge",
    "ModelJudge",
    "calibrated",
    "canaries",
    "judge_report",
]
